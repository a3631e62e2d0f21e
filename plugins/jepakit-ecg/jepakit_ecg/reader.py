"""From records to samples: whole, in pieces, or a beat each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from jepakit.sdk import DataError, Reader, Sample
from jepakit_ecg.leads import LEADS, arranged
from jepakit_ecg.options import EcgOptions, parsed
from jepakit_ecg.records import Record, load_records
from jepakit_modalities.timeseries.reader import union

MOST_BEATS = 300
"""Beats that a median is taken of: its error is then a few per cent of the beats' spread."""


class EcgReader(Reader):
    """Samples (12, T) float32 millivolts. Records of one source have one rate; patients are groups."""

    def __init__(self, records: Sequence[Record], options: EcgOptions, class_names: tuple[str, ...] | None = None) -> None:
        rates = sorted({record.rate_hz for record in records})
        if len(rates) != 1:
            raise DataError(f"records at {' and '.join(f'{rate:g} Hz' for rate in rates)} in one source; bring them to one with ::rate=HZ")
        self.records, self.options, self.class_names = records, options, class_names
        self.rate = rates[0]
        self.size = None if options.seconds is None else max(2, round(options.seconds * self.rate))
        self.places = [(number, *place) for number, record in enumerate(records) for place in self._pieces(record)]
        if not self.places:
            raise DataError("no record is long enough, or none has beats; set ::seconds lower")
        self.usual = self._usual() if options.beats and options.centre else {}

    def _pieces(self, record: Record) -> list[tuple[int, int]]:
        """(start, beat) of each sample of a record; beat is -1 unless a sample is one."""
        length = record.signal.shape[1]
        if self.options.beats:
            half = (self.size or 2) // 2
            starts = [(int(at) - half, beat) for beat, at in enumerate(record.beats) if half <= at < length - half]
            return starts[:: self.options.every]
        return [(0, -1)] if self.size is None else [(start, -1) for start in range(0, length - self.size + 1, self.size)]

    def _usual(self) -> dict[int, np.ndarray]:
        """The median beat (12, T) of each record, over at most `MOST_BEATS` evenly spread ones; no class is looked at."""
        out = {}
        for number in {place[0] for place in self.places}:
            starts = [start for other, start, _ in self.places if other == number]
            some = starts[:: -(-len(starts) // MOST_BEATS)]
            record = self.records[number]
            known = np.flatnonzero(np.isfinite(record.signal).any(axis=1))
            beats = np.stack([record.signal[known, start : start + (self.size or 2) // 2 * 2] for start in some])
            out[number] = np.zeros((len(LEADS), beats.shape[2]), dtype=np.float32)
            out[number][[record.leads[row] for row in known]] = np.nanmedian(beats, axis=0)
        return out

    def __len__(self) -> int:
        return len(self.places)

    def read(self, index: int) -> Sample:
        number, start, beat = self.places[index]
        record = self.records[number]
        stop = record.signal.shape[1] if self.size is None else start + self.size // 2 * 2 if beat >= 0 else start + self.size
        meta: dict[str, Any] = {"rate_hz": self.rate, "channels": LEADS, "units": ("mV",) * len(LEADS), "longest": stop - start}
        if beat >= 0:
            meta["facts"] = intervals(record.beats, beat, self.rate)
        label = record.label if beat < 0 else int(record.classes[beat])
        signal = record.twelve(slice(start, stop))
        if number in self.usual:
            signal = signal - self.usual[number]
        return Sample({"main": signal}, id=f"{record.name}@{start}", label=label, group=record.group, meta=meta)

    def spec(self) -> Mapping[str, Any]:
        names = None if self.class_names is None else list(self.class_names)
        kind = {"label_kind": "multilabel"} if np.ndim(self.records[0].label) == 1 else {}
        shared = {"kind": "ecg", "channels": len(LEADS), "channel_names": list(LEADS), "rate_hz": self.rate}
        return shared | {"class_names": names, "count": len(self)} | kind

    def fingerprint(self) -> str:
        return self._digest

    @cached_property
    def _digest(self) -> str:
        made = blake2b(repr((self.places[:1], self.places[-1:], len(self.places))).encode(), digest_size=16)
        for record in self.records:
            made.update(f"{record.name} {(len(LEADS), record.signal.shape[1])} {record.label}".encode())
            made.update(record.twelve(slice(None, None, 97)).tobytes())
        return made.hexdigest()


def intervals(beats: np.ndarray, beat: int, rate: float) -> np.ndarray:
    """(4,) seconds to the beat before and after, and both over the median interval of the ten beats before: RR features as usual."""
    gaps = np.diff(beats) / rate
    usual = float(np.median(gaps[max(0, beat - 10) : max(beat, 1)])) if len(gaps) else 1.0
    before = float(gaps[beat - 1]) if beat > 0 else usual
    after = float(gaps[beat]) if beat < len(gaps) else usual
    return np.array([before, after, before / max(usual, 1e-3), after / max(usual, 1e-3)])


def open_ecg(source: str) -> Reader:
    """One or several paths, or `bundled:ecg`, with options behind `::`. Several are for pre-training: their labels are left out."""
    paths, options = parsed(source)
    if paths == ("bundled:ecg",) and options.seconds is None:
        options = options.model_copy(update={"seconds": 0.25})
    readers = [one_source(path, options) for path in paths]
    rates = sorted({reader.rate for reader in readers})
    if len(rates) > 1:
        raise DataError(f"{source}: sources at {' and '.join(f'{rate:g} Hz' for rate in rates)}; bring them to one with ::rate=HZ")
    return union(readers, options.balance)


def one_source(path: str, options: EcgOptions) -> EcgReader:
    """All records of one path."""
    if path == "bundled:ecg":
        return EcgReader([bundled()], options)
    records, names = load_records(Path(path).expanduser(), options)
    return EcgReader(records, options, names)


def bundled() -> Record:
    """The 1,024 samples that ship inside PyWavelets: lead MLII of MIT-BIH record 100 at 360 Hz, 200 units a millivolt."""
    import pywt  # type: ignore[import-untyped]

    signal = np.asarray(pywt.data.ecg(), dtype=np.float32)[None] / 200.0
    return Record("pywt", arranged(signal, ("MLII",), "bundled:ecg"), 360.0, "100")
