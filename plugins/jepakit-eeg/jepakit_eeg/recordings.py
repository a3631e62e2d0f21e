"""From a path to recordings: npz, or anything that MNE reads (EDF, BDF, FIF, BrainVision, EEGLAB), one file or a folder of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from warnings import catch_warnings, simplefilter

import numpy as np

from jepakit.sdk import DataError, ReadBudget
from jepakit_eeg.electrodes import measured, positions
from jepakit_eeg.fif import check_fif
from jepakit_eeg.matfile import check_matfile
from jepakit_eeg.options import EegOptions
from jepakit_eeg.reader import Recording
from jepakit_eeg.room import pieces, room
from jepakit_modalities.timeseries.address import SourceOptions
from jepakit_modalities.timeseries.files import load

BUDGET = ReadBudget()
SUFFIXES = (".edf", ".bdf", ".fif", ".vhdr", ".set")


def load_recordings(path: Path, options: EegOptions) -> tuple[list[Recording], tuple[str, ...] | None]:
    """All recordings of a path, of the subjects asked for, and the names of the classes."""
    found, names = from_npz(path, options) if path.suffix.lower() == ".npz" else (from_mne(path), None)
    return of_subjects(found, options.subjects, path), names


def from_npz(path: Path, options: EegOptions) -> tuple[list[Recording], tuple[str, ...] | None]:
    """x [N, C, T] with ch_names and sfreq; subject in `group`, or each trial one of its own."""
    found = load(path, SourceOptions(label=options.label, group=options.group))
    if found.rate_hz is None or not found.channel_names:
        raise DataError(f"{path}: lacks sfreq or ch_names; an EEG needs its rate and the names of its electrodes")
    if any(len(array) != len(found.channel_names) for array in found.arrays):
        raise DataError(f"{path}: {len(found.arrays[0])} channels in x, {len(found.channel_names)} ch_names; expected one name a channel")
    places = positions(found.channel_names)
    units = found.units[0] if found.units else ""
    groups = found.ids if found.groups is None else found.groups
    labels = [None] * len(found) if found.labels is None else found.labels
    return [
        Recording(name, array, found.rate_hz, found.channel_names, places, group, label, units)
        for name, array, group, label in zip(found.ids, found.arrays, groups, labels)
    ], found.class_names


def from_mne(path: Path) -> list[Recording]:
    """One file, or all below a folder (a BIDS tree); the subject is the `sub-X` of the name, else the file itself."""
    files = sorted(one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise DataError(f"no EEG at {path}; expected a file or a folder of {', '.join(SUFFIXES)}, or an .npz file")
    return [one_file(file, str(file.relative_to(path)) if path.is_dir() else file.name) for file in files]


def one_file(file: Path, name: str) -> Recording:
    """The EEG channels of one file in microvolts, with positions from the file, else from the names."""
    BUDGET.check_file(file)
    if file.suffix.lower() == ".set":
        check_matfile(file)
    if file.suffix.lower() == ".fif":
        check_fif(file)
    try:
        with catch_warnings(), np.errstate(all="ignore"):
            simplefilter("ignore")  # MNE warns of much that it repairs
            import mne

            raw = mne.io.read_raw(file, verbose="ERROR").pick("eeg")
            signal = room(len(raw.ch_names), raw.n_times)
            for part in pieces(raw.n_times):
                signal[:, part] = raw.get_data(start=part.start, stop=part.stop) * 1e6
            places = np.array([channel["loc"][:3] for channel in raw.info["chs"]], dtype=np.float64).reshape(len(signal), 3)
            names, rate = tuple(str(one) for one in raw.ch_names), float(raw.info["sfreq"])
    except Exception as error:  # MNE raises that very class, among two dozen others, for what it does not know
        raise DataError(f"{file}: not readable by MNE ({' '.join(str(error).split())[:200]})") from error
    if not signal.size or not np.isfinite(rate) or rate <= 0:
        raise DataError(f"{file}: {len(signal)} EEG channels of {signal.shape[1]} samples at {rate:g} Hz; expected some of each")
    found = re.search(r"sub-([^_/\\]+)", str(file))
    return Recording(name, signal, rate, names, measured(places, names), found.group(1) if found else file.stem)


def of_subjects(found: Sequence[Recording], text: str | None, path: Path) -> list[Recording]:
    """Only subjects first:last, as numbers."""
    if text is None:
        return list(found)
    first, _, last = text.partition(":")
    if not first.isdigit() or not (last or first).isdigit():
        raise DataError(f"{path}: subjects={text}: expected first:last, two whole numbers")
    kept = [one for one in found if one.group.isdigit() and int(first) <= int(one.group) <= int(last or first)]
    if not kept:
        raise DataError(f"{path}: subjects={text}: there is none of them")
    return kept
