"""From recordings to samples: whole or in pieces, each with its own electrodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np

from jepakit.sdk import DataError, Reader, Sample


@dataclass(frozen=True)
class Recording:
    """One trial or session. signal: (C, T) float32, NaN where missing. positions: (C, 3) metres, NaN where unknown."""

    name: str
    signal: np.ndarray
    rate_hz: float
    channels: tuple[str, ...]
    positions: np.ndarray
    group: str
    label: int | None = None
    units: str = "uV"


class EegReader(Reader):
    """Samples (C, T) float32. Recordings have one rate and any electrodes; the subject is the group.

    seconds: length of a sample; None = each recording is one.
    """

    def __init__(
        self, recordings: Sequence[Recording], *, seconds: float | None = None, class_names: tuple[str, ...] | None = None
    ) -> None:
        rates = sorted({recording.rate_hz for recording in recordings})
        if len(rates) != 1:
            raise DataError(f"recordings at {' and '.join(f'{rate:g} Hz' for rate in rates)} in one source; bring them to one: ::rate=HZ")
        self.recordings, self.class_names, self.rate = recordings, class_names, rates[0]
        self.size = None if seconds is None else max(2, round(seconds * self.rate))
        self.places = [(number, start) for number, one in enumerate(recordings) for start in self._starts(one.signal.shape[1])]
        if not self.places:
            raise DataError(f"no recording is {seconds:g} s long; set ::seconds lower")
        self.longest = max(one.signal.shape[1] for one in recordings) if self.size is None else self.size

    def _starts(self, length: int) -> range:
        return range(1) if self.size is None else range(0, length - self.size + 1, self.size)

    def __len__(self) -> int:
        return len(self.places)

    def read(self, index: int) -> Sample:
        number, start = self.places[index]
        one = self.recordings[number]
        stop = None if self.size is None else start + self.size
        meta = {
            "rate_hz": one.rate_hz,
            "channels": one.channels,
            "units": (one.units,) * len(one.channels),
            "positions": one.positions,
            "longest": self.longest,
        }
        name = one.name if self.size is None else f"{one.name}@{start}"
        return Sample({"main": np.ascontiguousarray(one.signal[:, start:stop])}, id=name, label=one.label, group=one.group, meta=meta)

    def spec(self) -> Mapping[str, Any]:
        montages = {one.channels for one in self.recordings}
        shared = next(iter(montages)) if len(montages) == 1 else None
        return {
            "kind": "eeg",
            "channels": None if shared is None else len(shared),
            "channel_names": list(shared or ()),
            "rate_hz": self.rate,
            "class_names": None if self.class_names is None else list(self.class_names),
            "count": len(self),
        }

    def fingerprint(self) -> str:
        return self._digest

    @cached_property
    def _digest(self) -> str:
        made = blake2b(repr((self.size, len(self.places))).encode(), digest_size=16)
        for one in self.recordings:
            made.update(f"{one.name} {one.signal.shape} {one.channels} {one.label}".encode())
            made.update(np.ascontiguousarray(one.signal[:, ::97]).tobytes())
        return made.hexdigest()
