"""Records of one source: WFDB folders and files (also FLAC-coded), and npz."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

from jepakit.sdk import DataError
from jepakit_ecg.leads import LEADS, places
from jepakit_ecg.options import EcgOptions
from jepakit_modalities.timeseries.address import SourceOptions
from jepakit_modalities.timeseries.files import load
from jepakit_modalities.timeseries.recordings import at_rate, bridged

AAMI = {**dict.fromkeys("NLRej", 0), **dict.fromkeys("AaJS", 1), **dict.fromkeys("VE", 2), "F": 3}
"""Beat symbols of WFDB → N, S, V, F of the AAMI recommendation (EC57); paced and unclassifiable beats are left out."""
CLASSES = ("N", "S", "V", "F")
DS1 = (
    "101", "106", "108", "109", "112", "114", "115", "116", "118", "119", "122",
    "124", "201", "203", "205", "207", "208", "209", "215", "220", "223", "230",
)  # fmt: skip
DS2 = (
    "100", "103", "105", "111", "113", "117", "121", "123", "200", "202", "210",
    "212", "213", "214", "219", "221", "222", "228", "231", "232", "233", "234",
)  # fmt: skip
"""Training and test records of MIT-BIH by patient (de Chazal et al. 2004, table I); paced records are in neither."""
DAMAGED = (OSError, ValueError, TypeError, LookupError, RuntimeError, AttributeError, ArithmeticError, MemoryError, AssertionError)
"""What wfdb and soundfile raise on damaged records."""


@dataclass(frozen=True)
class Record:
    """signal: (L, T) float32 millivolts of the recorded leads, leads: the row of each among the twelve.

    beats: sample numbers of the beats, classes: their AAMI class.
    """

    name: str
    signal: np.ndarray
    rate_hz: float
    group: str | None = None
    label: Any = None
    beats: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    classes: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    leads: tuple[int, ...] = tuple(range(len(LEADS)))

    def twelve(self, part: slice) -> np.ndarray:
        """(12, n) float32 of a part of the record, NaN for leads that were not recorded: ten of twelve in MIT-BIH, so it is not kept."""
        piece = self.signal[:, part]
        out = np.full((len(LEADS), piece.shape[1]), np.nan, dtype=np.float32)
        out[list(self.leads)] = piece
        return out


def load_records(path: Path, options: EcgOptions) -> tuple[list[Record], tuple[str, ...] | None]:
    """All records of a path, filtered and resampled as the options say, and the names of the classes."""
    if path.suffix.lower() == ".npz":
        found, names = from_npz(path, options)
    else:
        found, names = [from_wfdb(one) for one in headers(path, options)], CLASSES if options.beats else None
    return [prepared(record, options) for record in found], names


def headers(path: Path, options: EcgOptions) -> list[Path]:
    """The WFDB headers below a folder, or the one that is named with or without its ending."""
    if path.is_dir():
        wanted = options.records or {"DS1": DS1, "DS2": DS2, None: ()}[options.split]
        found = sorted(one for one in path.rglob("*.hea") if not wanted or one.stem in wanted)
        missing = sorted(set(wanted) - {one.stem for one in found})
        if missing or not found:
            raise DataError(f"{path}: holds no WFDB record {', '.join(missing)}; expected NAME.hea beside NAME.dat or NAME.mat")
        return found
    one = path if path.suffix == ".hea" else Path(f"{path}.hea")
    if not one.is_file():
        raise DataError(f"no such ECG: {path}; expected a folder of WFDB records, one of them, or an .npz file")
    return [one]


def from_wfdb(header: Path) -> Record:
    """One record with its beat annotations, if it has some."""
    name = str(header.with_suffix(""))
    try:
        with catch_warnings():
            simplefilter("ignore")  # wfdb 4.3 uses what newer pandas deprecates, already when it is imported
            import wfdb

            record = wfdb.rdrecord(name)
            notes = wfdb.rdann(name, "atr") if header.with_suffix(".atr").is_file() else None
        signal = np.asarray(record.p_signal, dtype=np.float32).T
        signal = signal * np.array([{"uv": 1e-3, "v": 1e3}.get(str(unit).lower(), 1.0) for unit in record.units], np.float32)[:, None]
    except DAMAGED as error:
        raise DataError(f"{header}: not a readable WFDB record ({' '.join(str(error).split())[:200]})") from error
    if not (np.isfinite(record.fs) and record.fs > 0):
        raise DataError(f"{header}: {record.fs} samples a second; expected a rate above 0")
    leads = places(len(signal), record.sig_name, str(header))
    if notes is None:
        return Record(header.stem, signal, float(record.fs), group=header.stem, leads=leads)
    kept = [(place, AAMI[symbol]) for place, symbol in zip(notes.sample, notes.symbol) if symbol in AAMI]
    beats, classes = np.array(kept, dtype=np.int64).reshape(-1, 2).T
    return Record(header.stem, signal, float(record.fs), header.stem, None, beats, classes, leads)


def from_npz(path: Path, options: EcgOptions) -> tuple[list[Record], tuple[str, ...] | None]:
    """x [N, C, T] with ch_names and sfreq; patient in `group`, or each record one of its own."""
    found = load(path, SourceOptions(label=options.label, group=options.group))
    if found.rate_hz is None or not found.channel_names:
        raise DataError(f"{path}: lacks sfreq or ch_names; an ECG needs its rate and the names of its leads")
    names, labels = found.class_names, found.labels
    rows = list(range(len(found)))
    if options.keep:
        if labels is None or names is None or not set(options.keep) <= set(names):
            known = ", ".join(names or ()) or "no names"
            raise DataError(f"{path}: keep={'+'.join(options.keep)}: labels are {known}; name their array by label=")
        rows = [row for row in rows if names[labels[row]] in options.keep]
        numbers = {names.index(name): number for number, name in enumerate(options.keep)}
        labels, names = [numbers.get(label) for label in labels], options.keep
    return [
        Record(
            found.ids[row],
            np.asarray(found.arrays[row], dtype=np.float32),
            found.rate_hz,
            found.ids[row] if found.groups is None else found.groups[row],
            None if labels is None else labels[row],
            leads=places(len(found.arrays[row]), found.channel_names, str(path)),
        )
        for row in rows
    ], names


def prepared(record: Record, options: EcgOptions) -> Record:
    """Band-passed, then resampled, if asked for; beats move along."""
    signal, rate = record.signal, record.rate_hz
    if options.band is not None:
        signal = band_passed(signal, rate, *options.band)
    if options.rate is None or options.rate == rate:
        return replace(record, signal=signal)
    beats = np.rint(record.beats * options.rate / rate).astype(np.int64)
    known = np.flatnonzero(np.isfinite(signal).any(axis=1))
    moved = np.asarray(at_rate(signal[known], rate, options.rate), dtype=np.float32)
    leads = tuple(record.leads[row] for row in known)
    return replace(record, signal=moved, rate_hz=options.rate, beats=beats, leads=leads)


def band_passed(signal: np.ndarray, rate: float, low: float, high: float) -> np.ndarray:
    """(L, T), zero phase; missing values are bridged for the filter and missing again after it."""
    from scipy.signal import butter, sosfiltfilt

    if not 0 < low < high < rate / 2:
        raise DataError(f"band={low:g}:{high:g}: expected 0 < low < high < {rate / 2:g} Hz, half the rate")
    sections = butter(4, (low, high), "bandpass", fs=rate, output="sos")
    if signal.shape[1] <= 3 * (2 * len(sections) + 1):
        raise DataError(f"band={low:g}:{high:g}: a record of {signal.shape[1]} samples is too short to filter; leave ::band out")
    out = np.full_like(signal, np.nan)
    for row in np.flatnonzero(np.isfinite(signal).any(axis=1)):
        clean = sosfiltfilt(sections, bridged(signal[row : row + 1])[0])
        out[row] = np.where(np.isfinite(signal[row]), clean, np.nan)
    return out
