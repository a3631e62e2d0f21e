"""What is in the samples: shapes, rates, ranges, what is missing, labels, groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jepakit.contracts import Reader, Sample


@dataclass
class Stream:
    """One stream over all samples that were looked at.

    dtypes, shapes: all that occur (shapes from lowest to highest by axis). missing, infinite: shares of values. flat: samples
    without any variation. low, high, mean, std: of finite values.
    """

    dtypes: set[str] = field(default_factory=set)
    smallest: tuple[int, ...] | None = None
    largest: tuple[int, ...] | None = None
    values: int = 0
    missing: int = 0
    infinite: int = 0
    flat: int = 0
    low: float = np.inf
    high: float = -np.inf
    total: float = 0.0
    squares: float = 0.0

    def add(self, array: np.ndarray) -> None:
        """One more sample."""
        self.dtypes.add(str(array.dtype))
        same = self.smallest is None or len(self.smallest) != array.ndim
        self.smallest = array.shape if same else tuple(map(min, zip(self.smallest or (), array.shape)))
        self.largest = array.shape if same else tuple(map(max, zip(self.largest or (), array.shape)))
        self.values += array.size
        if array.dtype.kind not in "iufb" or not array.size:
            return
        floats = array.astype(np.float64, copy=False)
        finite = floats[np.isfinite(floats)]
        self.missing += int(np.isnan(floats).sum())
        self.infinite += int(np.isinf(floats).sum())
        if not finite.size:
            self.flat += 1
            return
        low, high = float(finite.min()), float(finite.max())
        self.flat += low == high
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.total += float(finite.sum())
        self.squares += float(np.square(finite).sum())

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data."""
        known = max(1, self.values - self.missing - self.infinite)
        mean = self.total / known
        return {
            "dtype": sorted(self.dtypes),
            "smallest": list(self.smallest or ()),
            "largest": list(self.largest or ()),
            "missing": self.missing / max(1, self.values),
            "infinite": self.infinite / max(1, self.values),
            "flat_samples": self.flat,
            "low": self.low if np.isfinite(self.low) else None,
            "high": self.high if np.isfinite(self.high) else None,
            "mean": mean,
            "std": float(np.sqrt(max(0.0, self.squares / known - mean**2))),
        }


@dataclass(frozen=True)
class Contents:
    """What was found in the samples that were looked at.

    rates: rate_hz → samples. seconds: shortest and longest, where there is a rate. labels: kind, and classes by how often they occur.
    """

    looked_at: int
    count: int
    streams: Mapping[str, Mapping[str, Any]]
    channels: Sequence[str] | int | None
    rates: Mapping[str, int]
    seconds: tuple[float, float] | None
    labels: Mapping[str, Any]
    groups: Mapping[str, Any]


def contents_of(samples: Sequence[Sample], reader: Reader) -> Contents:
    """Sums up samples that were drawn from `reader`."""
    streams: dict[str, Stream] = {}
    for sample in samples:
        for name, array in sample.streams.items():
            streams.setdefault(name, Stream()).add(np.asarray(array))
    spec = reader.spec()
    rates = Counter(f"{float(rate):g}" for sample in samples if (rate := sample.meta.get("rate_hz")))
    return Contents(
        looked_at=len(samples),
        count=len(reader),
        streams={name: stream.to_json() for name, stream in streams.items()},
        channels=_names(spec.get("channel_names")) or _names(spec.get("columns")) or spec.get("channels"),
        rates=dict(rates),
        seconds=_seconds(samples),
        labels=labels_of(samples, spec),
        groups=groups_of(samples),
    )


def labels_of(samples: Sequence[Sample], spec: Mapping[str, Any]) -> dict[str, Any]:
    """Kind of label, how many samples lack one, how the classes are balanced; numbers are summed up by their range."""
    given = [sample.label for sample in samples if sample.label is not None]
    if not given:
        return {"kind": "none", "without": len(samples)}
    found: dict[str, Any] = {"without": len(samples) - len(given)}
    plain = np.asarray(given[0])
    whole = all(np.asarray(label).dtype.kind in "iub" for label in given)
    names = spec.get("class_names") or ()
    found["kind"] = str(spec.get("label_kind") or inferred(plain, len(names), whole=whole))
    if found["kind"] == "classification":
        tally = Counter(int(label) for label in given)
    elif found["kind"] in ("multilabel", "dense"):
        tally = Counter()
        for label in given:
            row = np.asarray(label)
            tally.update(np.flatnonzero(row).tolist() if found["kind"] == "multilabel" else row[row >= 0].tolist())
    else:
        values = np.concatenate([np.ravel(np.asarray(label, np.float64)) for label in given])
        return found | {"low": float(np.nanmin(values)), "high": float(np.nanmax(values)), "mean": float(np.nanmean(values))}
    found["classes"] = {str(names[key]) if 0 <= key < len(names) else str(key): tally[key] for key, _ in tally.most_common()}
    found["majority"] = max(tally.values(), default=0) / max(1, sum(tally.values()))
    return found


def inferred(label: np.ndarray, classes: int, *, whole: bool) -> str:
    """The kind of labels that the data does not name: zeros and ones, one a class, are several labels at once."""
    if label.ndim == 1 and len(label) == classes and np.isin(label, (0, 1)).all():
        return "multilabel"
    return "classification" if label.ndim == 0 and whole else "regression"


def groups_of(samples: Sequence[Sample]) -> dict[str, Any]:
    """How many groups (subjects, patients, tiles) there are, and how large."""
    sizes = Counter(sample.group for sample in samples if sample.group is not None)
    if not sizes:
        return {"count": 0}
    return {"count": len(sizes), "smallest": min(sizes.values()), "largest": max(sizes.values()), "without": len(samples) - sizes.total()}


def _names(found: Any) -> list[str] | None:
    return [str(name) for name in found] if isinstance(found, list | tuple) and found else None


def _seconds(samples: Sequence[Sample]) -> tuple[float, float] | None:
    """Shortest and longest recording: the last axis of a stream is time wherever there is a rate."""
    spans = [
        array.shape[-1] / float(rate) for sample in samples if (rate := sample.meta.get("rate_hz")) for array in sample.streams.values()
    ]
    return (min(spans), max(spans)) if spans else None
