"""What a fixed target makes of a sample, computed once and carried along as further streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jepakit.contracts import Reader, Sample, TargetProvider
from jepakit.data.loader import CachedReader


class AsideReader(Reader):
    """The samples of another reader with what the target wants of them, as streams named `ASIDE…`."""

    def __init__(self, inner: Reader, target: TargetProvider) -> None:
        self.inner, self.target = inner, target

    def __len__(self) -> int:
        return len(self.inner)

    def read(self, index: int) -> Sample:
        sample = self.inner.read(index)
        return replace(sample, streams={**sample.streams, **self.target.asides(sample)})

    def spec(self) -> Mapping[str, Any]:
        return self.inner.spec()

    def fingerprint(self) -> str:
        return self.inner.fingerprint()


def with_asides(reader: Reader, target: TargetProvider | None, cache_mib: int) -> Reader:
    """The reader to train from: the same one when the target wants nothing of a sample, else one that keeps what it wants in memory."""
    if target is None or not target.has_asides:
        return reader
    return CachedReader(AsideReader(reader, target), cache_mib << 20)
