"""Contenders that look at samples instead of features: the modality's library baseline, and an encoder that is fine-tuned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np

from jepakit.contracts import Reader, Sample


class Samples(Sequence[Sample]):
    """Samples of a reader, read when asked for and without their labels."""

    def __init__(self, reader: Reader, rows: np.ndarray | None = None) -> None:
        self.reader, self.rows = reader, np.arange(len(reader)) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> Sample: ...
    @overload
    def __getitem__(self, place: slice) -> Samples: ...
    def __getitem__(self, place: int | slice) -> Sample | Samples:
        if isinstance(place, slice):
            return Samples(self.reader, self.rows[place])
        return replace(self.reader.read(int(self.rows[place])), label=None)

    def take(self, rows: np.ndarray) -> Samples:
        """The samples at `rows`, int64 indices, in that order."""
        return Samples(self.reader, self.rows[rows])


@dataclass(frozen=True)
class Rival:
    """An estimator over samples. row, probe: where its values stand in the table. make: a fresh unfitted one. title: what it is."""

    row: str
    probe: str
    make: Callable[[], Any]
    title: str
    train: Samples
    test: Samples | None = None
