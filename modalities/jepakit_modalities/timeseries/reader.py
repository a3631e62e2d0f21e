"""The one reader of time series: recordings in memory, one series a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from hashlib import blake2b
from itertools import accumulate
from typing import Any

import numpy as np

from jepakit.sdk import DataError, Reader, Sample
from jepakit_modalities.timeseries.recordings import Recordings


class SeriesReader(Reader):
    """Samples (C, T) float32 in the stream "main", NaN = missing; rate, channel names and units in `meta`."""

    def __init__(self, recordings: Recordings, *, kind: str = "timeseries") -> None:
        if len(set(recordings.ids)) != len(recordings):
            raise DataError("two series have the same id; masks are keyed by it, so rename one of the files")
        self.recordings, self.kind = recordings, kind
        self.longest = max(array.shape[1] for array in recordings.arrays)
        self._meta = {
            "rate_hz": recordings.rate_hz,
            "channels": recordings.channel_names,
            "units": recordings.units,
            "ragged": len({array.shape[1] for array in recordings.arrays}) > 1,
            "centred": recordings.centred,
        }

    def __len__(self) -> int:
        return len(self.recordings)

    def read(self, index: int) -> Sample:
        found = self.recordings
        return Sample(
            {"main": np.ascontiguousarray(found.arrays[index])},
            id=found.ids[index],
            label=None if found.labels is None else found.labels[index],
            group=None if found.groups is None else found.groups[index],
            meta=self._meta,
        )

    def spec(self) -> Mapping[str, Any]:
        found = self.recordings
        counts = sorted({len(array) for array in found.arrays})
        return {
            "kind": self.kind,
            "channels": counts[0] if len(counts) == 1 else None,
            "channel_names": list(found.channel_names),
            "rate_hz": found.rate_hz,
            "length": [min(array.shape[1] for array in found.arrays), self.longest],
            "class_names": None if found.class_names is None else list(found.class_names),
            "count": len(self),
        }

    def fingerprint(self) -> str:
        return self._digest

    @cached_property
    def _digest(self) -> str:
        made = blake2b(digest_size=16)
        for name, array in zip(self.recordings.ids, self.recordings.arrays):
            made.update(f"{name} {array.shape}".encode())
            made.update(np.ascontiguousarray(array[:, :64]).tobytes())
            made.update(np.nansum(array, axis=1).tobytes())
        return made.hexdigest()


class UnionReader(Reader):
    """Several sources one after another, for pre-training: other lengths, other channels, no labels.

    shares: how often each is read, at least once; a sample that is read again has a new id, so that its masks differ.
    """

    def __init__(self, readers: Sequence[Reader], shares: Sequence[int]) -> None:
        self.readers, self.shares = readers, shares
        self.ends = list(accumulate(len(reader) * share for reader, share in zip(readers, shares)))

    def __len__(self) -> int:
        return self.ends[-1]

    def read(self, index: int) -> Sample:
        number = int(np.searchsorted(self.ends, index, side="right"))
        place = index - (self.ends[number - 1] if number else 0)
        turn, row = divmod(place, len(self.readers[number]))
        sample = self.readers[number].read(row)
        return replace(sample, id=f"{sample.id}#{turn}" if turn else sample.id, label=None)

    def spec(self) -> Mapping[str, Any]:
        parts = [reader.spec() for reader in self.readers]
        shared = {key: value for key, value in parts[0].items() if all(part.get(key) == value for part in parts)}
        return {"channels": None, "channel_names": [], "rate_hz": None} | shared | {"kind": parts[0]["kind"], "count": len(self)}

    def fingerprint(self) -> str:
        return blake2b("+".join(reader.fingerprint() for reader in self.readers).encode(), digest_size=16).hexdigest()


def union(readers: Sequence[Reader], balance: str) -> Reader:
    """One reader of all; balance "sqrt" reads a source in proportion to the root of its size, "even" all equally often."""
    if len(readers) == 1:
        return readers[0]
    sizes = np.array([len(reader) for reader in readers], dtype=float)
    power = {"none": 0.0, "sqrt": 0.5, "even": 1.0}[balance]
    shares = np.maximum(1, np.rint((sizes.max() / sizes) ** power)).astype(int)
    return UnionReader(readers, shares.tolist())
