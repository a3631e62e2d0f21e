"""From what the user typed after --data to a reader: a path, `bundled:NAME`, or `synthetic`."""

from __future__ import annotations

from jepakit.config import RunConfig
from jepakit.contracts import Modality, Reader, Sample
from jepakit.data.loader import CachedReader
from jepakit.data.stream import cut_buckets

SYNTHETIC_TRAIN, SYNTHETIC_TEST = 2_000, 500
"""How many made-up samples a synthetic set holds: enough for a linear probe to tell a trained encoder from an untrained one."""


def open_source(config: RunConfig, modality: Modality, source: str, split: str) -> Reader:
    """The reader of one split, cached in memory up to `data.cache_mib`, cut to `data.limit` samples.

    split: "train" or "test"; a path holds one split only, bundled and synthetic sets hold both.
    """
    if source == "synthetic":
        count = SYNTHETIC_TEST if split == "test" else SYNTHETIC_TRAIN
        reader = modality.synthetic(count, config.train.seed, split)
    else:
        reader = modality.open(source, split)
    if config.data.limit is not None and config.data.limit < len(reader):
        reader = FirstSamples(reader, config.data.limit)
    return CachedReader(reader, config.data.cache_mib << 20)


def has_test_split(source: str) -> bool:
    """Whether a source brings its own test split, so that `eval` needs no --test."""
    return source == "synthetic" or source.startswith("bundled:")


class FirstSamples(Reader):
    """The first `count` samples of another reader."""

    def __init__(self, inner: Reader, count: int) -> None:
        self.inner, self.count = inner, count

    def __len__(self) -> int:
        return self.count

    def read(self, index: int) -> Sample:
        return self.inner.read(index)

    def spec(self) -> dict[str, object]:
        spec = self.inner.spec()
        return {**spec, "count": self.count, "buckets": cut_buckets(spec.get("buckets") or (), self.count)}

    def fingerprint(self) -> str:
        return f"{self.inner.fingerprint()}[:{self.count}]"
