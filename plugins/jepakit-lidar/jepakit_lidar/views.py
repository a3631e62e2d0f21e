"""Augmentation, and the mask of AD-L-JEPA: raw points are divided by cell, so that no encoder sees what it is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from jepakit.sdk import Sample, Settings, ViewMaker
from jepakit_lidar.cells import cells_of, centres, keys_of, lattice


def rising(pair: tuple[float, float]) -> tuple[float, float]:
    """ValueError unless the pair is the lower and the upper end of a range above zero."""
    if not 0 < pair[0] <= pair[1]:
        raise ValueError(f"{list(pair)} is no range; expected two numbers above zero, the smaller one first")
    return pair


class HalvesSettings(Settings):
    """Defaults: AD-L-JEPA (arXiv 2501.04969), section 3.2 (half of the cells); mirrors and stretch as usual for outdoor detectors."""

    cell: float = Field(0.8, gt=0, description="side of a cell in metres; the same as tokenizer.cell")
    keep: float = Field(0.5, gt=0, lt=1, description="share of the occupied cells in stream main, and by itself of the empty ones")
    empty: float = Field(0.5, ge=0, description="empty cells that are tokens, for each occupied one; at least one, where there is any")
    points: int | None = Field(16384, ge=2, description="random points kept of a tile; None = all")
    mirror: bool = Field(True, description="mirror along x, along y, and swap both, each with probability one half")
    stretch: Annotated[tuple[float, float], AfterValidator(rising)] = Field((0.95, 1.05), description="factor of all three axes")


class HalvesView(ViewMaker):
    """Stream "main" holds the points of kept cells, "rest" those of all others. Rows (x, y, NaN, NaN) name empty cells, in either."""

    def __init__(self, settings: HalvesSettings) -> None:
        self.settings = settings

    def __call__(self, sample: Sample, rng: np.random.Generator, progress: float) -> Sample:
        settings = self.settings
        points = sample.streams["main"]
        points = points[np.isfinite(points[:, :3]).all(axis=1)]
        if settings.points is not None and settings.points < len(points):
            points = points[np.sort(rng.permutation(len(points))[: settings.points])]
        points, square = self.turned(points, sample.meta.get("square"), rng)
        keys = keys_of(cells_of(points, settings.cell))
        occupied = np.unique(keys)
        empty = self.vacant(occupied, square, rng)
        kept, marked = self.chosen(len(occupied), 1, rng), self.chosen(len(empty), 0, rng)
        inside = np.isin(keys, occupied[kept])
        streams = {
            "main": np.concatenate([points[inside], self.markers(empty[marked])]),
            "rest": np.concatenate([points[~inside], self.markers(empty[~marked])]),
        }
        if not len(streams["rest"]):  # one cell and no empty one: nothing can be hidden, so what is there is asked for again
            streams["rest"] = streams["main"]
        return replace(sample, streams=streams, meta={**sample.meta, "cell": settings.cell})

    def turned(
        self, points: np.ndarray, square: tuple[float, float, float] | None, rng: np.random.Generator
    ) -> tuple[np.ndarray, tuple[float, float, float]]:
        """Points and their square under one of the eight symmetries about the sensor, and a stretch."""
        if square is None:
            low = points[:, :2].min(axis=0) if len(points) else np.zeros(2)
            square = (float(low[0]), float(low[1]), float(np.ptp(points[:, :2], axis=0).max()) if len(points) else 0.0)
        turned, (left, low_y, side) = points.copy(), square
        corner = np.array([left, low_y])
        if self.settings.mirror:
            for axis in (0, 1):
                if rng.random() < 0.5:
                    turned[:, axis] *= -1
                    corner[axis] = -corner[axis] - side
            if rng.random() < 0.5:
                turned[:, :2], corner = turned[:, 1::-1].copy(), corner[::-1]
        factor = rng.uniform(*self.settings.stretch)
        turned[:, :3] *= np.float32(factor)
        return turned, (float(corner[0] * factor), float(corner[1] * factor), float(side * factor))

    def vacant(self, occupied: np.ndarray, square: tuple[float, float, float], rng: np.random.Generator) -> np.ndarray:
        """Keys of some cells of the square without a point."""
        free = np.setdiff1d(lattice(square, self.settings.cell), occupied)
        count = min(len(free), max(1, round(self.settings.empty * len(occupied)))) if self.settings.empty else 0
        return np.sort(rng.permutation(free)[:count])

    def chosen(self, count: int, least: int, rng: np.random.Generator) -> np.ndarray:
        """(count,) bool: which cells are kept; not all, unless that would leave fewer than `least`."""
        kept = np.zeros(count, dtype=bool)
        kept[rng.permutation(count)[: max(min(round(self.settings.keep * count), count - 1), least)]] = True
        return kept

    def markers(self, keys: np.ndarray) -> np.ndarray:
        """(cells, 4) float32 rows that name empty cells."""
        return np.concatenate([centres(keys, self.settings.cell), np.full((len(keys), 2), np.nan, dtype=np.float32)], axis=1)
