"""Shapes that can be dropped at random places among tokens: boxes on a grid, boxes and balls in coordinate space.

The extent of a box is first drawn as a share of each axis, because axes may have different units (seconds beside electrodes):
an aspect of 1 means "the same share of both axes", which on a square grid is a square.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol, final

import numpy as np

from jepakit.maskers.ranges import count_true, draw, part_of


class Shape(Protocol):
    """Something with a fixed size and no place yet."""

    def place(self, rng: np.random.Generator, number: int) -> np.ndarray:
        """(number, N) bool: the tokens inside, one row a random place."""
        ...


def draw_shares(rng: np.random.Generator, axes: int, scale: tuple[float, float], aspect: tuple[float, float]) -> list[float]:
    """The share of each axis that a box spans; their product is uniform in `scale`, whatever the aspect.

    aspect: share of every axis but the last, relative to the last; uniform, one draw an axis. For two axes this is the height/width of
    I-JEPA (Assran et al. 2023, section 3), with scale and aspect independent.
    """
    volume = draw(rng, scale)
    ratios = [draw(rng, aspect) for _ in range(axes - 1)] + [1.0]
    return _fill(volume, ratios)


def _fill(volume: float, ratios: Sequence[float]) -> list[float]:
    """Shares in (0, 1] in proportion to `ratios` whose product is `volume`; an axis that overflows is filled, the others make up for it."""
    shares = [1.0] * len(ratios)
    free = list(range(len(ratios)))
    while free:
        unit = (volume / prod(ratios[axis] for axis in free)) ** (1 / len(free))
        fitting = [axis for axis in free if unit * ratios[axis] < 1]
        if len(fitting) == len(free):
            for axis in free:
                shares[axis] = unit * ratios[axis]
            break
        free = fitting
    return shares


def whole_sizes(shares: Sequence[float], grid: Sequence[int], rng: np.random.Generator) -> tuple[int, ...]:
    """Shares of a grid's axes → whole sizes, 1 <= size <= axis, with a volume as near to the asked one as the last rounding allows.

    The coarsest axis is rounded first and the finer ones make up for its error; equally long axes take turns at random.
    """
    ties = rng.random(len(grid))
    sizes = [0] * len(grid)
    error = 1.0
    for done, axis in enumerate(sorted(range(len(grid)), key=lambda axis: (grid[axis], ties[axis]))):
        wanted = shares[axis] * grid[axis] * error ** (1 / (len(grid) - done))
        sizes[axis] = max(1, min(round(wanted), grid[axis]))
        error *= shares[axis] * grid[axis] / sizes[axis]
    return tuple(sizes)


def fit_box(
    coords: np.ndarray,
    valid: np.ndarray,
    grid: tuple[int, ...] | None,
    *,
    scale: tuple[float, float],
    aspect: tuple[float, float],
    rng: np.random.Generator,
) -> Shape:
    """A box of random size: on the grid where there is one, else in coordinate space.

    coords (N, K), valid (N,). `rng` is the one that a batch shares, so that all its samples get equal sizes.
    """
    shares = draw_shares(rng, len(grid) if grid else coords.shape[1], scale, aspect)
    if grid:
        return GridBox(grid, whole_sizes(shares, grid, rng))
    return NearestBox(coords, valid, shares, part_of(count_true(valid), prod(shares), leave=0))


@final
@dataclass(frozen=True)
class GridBox:
    """A box of `size` tokens along each axis of a dense grid; every place where it fits entirely is equally likely.

    unused: rows at the end of each axis that no box touches; 0 but for the published sampler.
    """

    grid: tuple[int, ...]
    size: tuple[int, ...]
    unused: int = 0

    def place(self, rng: np.random.Generator, number: int) -> np.ndarray:
        # A box of n - 1 tokens on n has two places, 0 and 1: without the + 1 the last row and column would never be reached.
        places = [n - self.unused - size + 1 for n, size in zip(self.grid, self.size, strict=True)]
        starts = (rng.random((number, len(places))) * places).astype(np.int64)
        stops = starts + self.size
        inside = np.zeros((number, *self.grid), dtype=bool)
        for row, start, stop in zip(inside, starts.tolist(), stops.tolist(), strict=True):
            row[tuple(map(slice, start, stop))] = True
        return inside.reshape(number, -1)


@final
@dataclass(frozen=True)
class NearestBox:
    """An axis-aligned box around a random valid token, grown until it holds `count` valid tokens.

    coords (N, K), valid (N,). shares: proportions of the box, relative to the extent of the valid tokens along each axis.
    Tokens on the rim, all equally far, come in in the order of their numbers.
    """

    coords: np.ndarray
    valid: np.ndarray
    shares: Sequence[float]
    count: int

    def place(self, rng: np.random.Generator, number: int) -> np.ndarray:
        present = self.coords[self.valid].astype(np.float64)
        extent = np.ptp(present, axis=0)
        steps = _offsets(present, rng, number) / np.where(extent > 0, extent * self.shares, 1.0)
        return _nearest(np.abs(steps).max(axis=-1), self.count, self.valid)


@final
@dataclass(frozen=True)
class Ball:
    """A Euclidean ball around a random valid token, grown until it holds `count` valid tokens. coords (N, K), valid (N,)."""

    coords: np.ndarray
    valid: np.ndarray
    count: int

    def place(self, rng: np.random.Generator, number: int) -> np.ndarray:
        present = self.coords[self.valid].astype(np.float64)
        return _nearest(np.square(_offsets(present, rng, number)).sum(axis=-1), self.count, self.valid)


def _offsets(present: np.ndarray, rng: np.random.Generator, number: int) -> np.ndarray:
    """(number, V, K): where V valid tokens lie as seen from `number` random ones of them."""
    centres = present[rng.integers(len(present), size=number)]
    return np.asarray(present[None] - centres[:, None])


def _nearest(distance: np.ndarray, count: int, valid: np.ndarray) -> np.ndarray:
    """(number, N) bool: the `count` nearest of the valid tokens. distance (number, V)."""
    chosen = np.zeros(distance.shape, dtype=bool)
    np.put_along_axis(chosen, np.argsort(distance, axis=1, kind="stable")[:, :count], True, axis=1)
    inside = np.zeros((len(distance), len(valid)), dtype=bool)
    inside[:, valid] = chosen
    return inside
