"""The one reader of sweeps: a list of tiles and a function that fetches the sweep of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from jepakit.sdk import DataError, Reader, Sample
from jepakit_lidar.address import SweepOptions
from jepakit_lidar.sweeps import Sweep, wanted

KEPT = 32
"""Sweeps that stay in memory: 60 MB of a 64-beam scanner."""


@dataclass(frozen=True)
class Tile:
    """sweep: its number. square: (x, y) of the corner nearest to minus infinity, and the side, in metres."""

    sweep: int
    square: tuple[float, float, float]


class SweepReader(Reader):
    """Tiles of sweeps that hold a point; the group of a tile is its sweep. Every sweep is looked at once when the reader is made."""

    def __init__(self, names: Sequence[str], fetch: Callable[[int], Sweep], options: SweepOptions, *, origin: str, digest: str) -> None:
        self.names, self.options, self.digest = names, options, digest
        self.fetch = lru_cache(maxsize=KEPT)(fetch)
        self.tiles = [Tile(number, square) for number in range(len(names)) for square in squares(self.fetch(number).points, options)]
        if not self.tiles:
            raise DataError(
                f"{origin}: no sweep has a point within {options.reach} m of the sensor; set reach higher, or look at the units"
            )
        if options.labels != "none" and all(self.fetch(number).label is None for number in range(len(names))):
            raise DataError(f"{origin}: labels={options.labels}, but no file has a class a point; leave the option out")

    def __len__(self) -> int:
        return len(self.tiles)

    def read(self, index: int) -> Sample:
        tile = self.tiles[index]
        sweep, (left, low, side) = self.fetch(tile.sweep), tile.square
        inside = np.flatnonzero(within(sweep.points, tile.square))
        label = None
        if self.options.labels != "none":
            known = np.full(len(sweep.points), 0) if sweep.label is None else sweep.label
            label = wanted(known[inside], self.options.labels)
        name = self.names[tile.sweep]
        return Sample(
            streams={"main": sweep.points[inside]},
            id=f"{name}@{left:g},{low:g}",
            label=label,
            group=name,
            meta={"square": (left, low, side), "rows": inside},
        )

    def spec(self) -> Mapping[str, Any]:
        said = {"kind": "lidar", "columns": ["x", "y", "z", "intensity"], "count": len(self), "sweeps": len(self.names)}
        return said if self.options.labels == "none" else {**said, "label_kind": "dense"}

    def fingerprint(self) -> str:
        return f"{self.digest}-{self.options.tile:g}-{self.options.reach:g}-{self.options.labels}"


def squares(points: np.ndarray, options: SweepOptions) -> list[tuple[float, float, float]]:
    """The tiles within reach that hold a point, in raster order; one corner of the lattice is the sensor."""
    near = points[np.abs(points[:, :2]).max(axis=1) < options.reach, :2]
    half = int(np.ceil(options.reach / options.tile)) + 1
    cells = np.floor(near / np.float32(options.tile)).astype(np.int64) + half
    held = np.flatnonzero(np.bincount(cells[:, 0] * 2 * half + cells[:, 1], minlength=4 * half * half))  # unique rows, by counting
    return [
        (float(x * options.tile), float(y * options.tile), options.tile)
        for x, y in zip(held // (2 * half) - half, held % (2 * half) - half)
    ]


def within(points: np.ndarray, square: tuple[float, float, float]) -> np.ndarray:
    """(P,) bool: which points lie in a tile of the lattice, by the same rounding as `squares`."""
    side = np.float32(square[2])
    cell = np.floor(points[:, :2] / side)
    return np.asarray((cell == np.rint(np.array(square[:2]) / square[2])).all(axis=1))
