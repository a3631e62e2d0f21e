"""Ranges as maskers' options hold them: (low, high), drawn uniformly."""

from __future__ import annotations

from math import isfinite
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator


def _positive(bounds: tuple[float, float]) -> tuple[float, float]:
    low, high = bounds
    if not (0 < low <= high and isfinite(high)):
        raise ValueError(f"expected two finite numbers 0 < low <= high, got ({low}, {high})")
    return bounds


def _share(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[1] > 1:
        raise ValueError(f"expected shares between 0 and 1, got ({bounds[0]}, {bounds[1]})")
    return _positive(bounds)


PositiveRange = Annotated[tuple[float, float], AfterValidator(_positive)]
"""(low, high) with 0 < low <= high."""
ShareRange = Annotated[tuple[float, float], AfterValidator(_share)]
"""(low, high) with 0 < low <= high <= 1."""


def draw(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    """Uniform in [low, high). Takes one number from `rng` even when low == high, so that options do not shift later draws."""
    low, high = bounds
    return low + (high - low) * rng.random()


def count_true(mask: npt.ArrayLike) -> int:
    """How many are True, as a plain int."""
    return int(np.count_nonzero(mask))


def part_of(total: int, share: float, *, leave: int) -> int:
    """`share` of `total` things as a whole number, at least 1, leaving at least `leave` of them."""
    return max(1, min(round(share * total), total - leave))
