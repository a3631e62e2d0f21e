"""What a sweep is: how it is opened, made up, looked at, and what its raw features are."""

from __future__ import annotations

import numpy as np

from jepakit.sdk import DataError, Layout, MaskPlan, Modality, Reader, Sample
from jepakit_lidar.sources import open_sweeps
from jepakit_lidar.synthetic import Streets

SPLITS = ("train", "test", "all")
COARSE = 8
"""Cells along each side of a tile that raw features are read from."""
SIDE = 160
"""Pixels of the square picture."""
NEUTRAL, SEEN, ASKED, HIDDEN = (200, 200, 200), (60, 150, 230), (230, 80, 60), (60, 60, 60)


class LidarModality(Modality):
    """Tiles of sweeps, (P, 4) float32: x, y, z in metres from the sensor, and intensity as stored."""

    name = "lidar"

    def open(self, source: str, split: str) -> Reader:
        if split not in SPLITS:
            raise DataError(f"{source}: no split '{split}'; there is {', '.join(SPLITS)}")
        return open_sweeps(source)

    def synthetic(self, count: int, seed: int, split: str = "train") -> Reader:
        return Streets(count, seed, split)

    def resembles(self, sample: Sample) -> float:
        """Flat, wide, and metres across: a sweep; most clouds are something else."""
        points = sample.streams["main"]
        if len(points) < 64:
            return 0.05
        spread = np.ptp(points[:, :3].astype(np.float64), axis=0)
        return 0.75 if 8 < spread[:2].max() < 1000 and spread[2] < spread[:2].max() else 0.05

    def raw_features(self, sample: Sample) -> np.ndarray:
        """Logarithm of the count, highest height and mean intensity in 8 x 8 parts of the tile: (192,) float32."""
        points = sample.streams["main"]
        part = placed(points, sample, COARSE)
        number = part[:, 0] * COARSE + part[:, 1]
        count = np.bincount(number, minlength=COARSE**2).astype(np.float64)
        high = np.full(COARSE**2, -5.0)
        np.maximum.at(high, number, points[:, 2])
        bright = np.bincount(number, weights=points[:, 3], minlength=COARSE**2) / np.maximum(count, 1)
        return np.concatenate([np.log1p(count), high, bright]).astype(np.float32)

    def token_labels(self, sample: Sample, layout: Layout) -> np.ndarray | None:
        """The most frequent known class of the points of each cell, -1 where none is known."""
        label = np.asarray(sample.label)
        points = sample.streams["main"]
        if label.shape != (len(points),):
            return None
        known = np.flatnonzero(label >= 0)
        votes = np.zeros((len(layout), int(label.max(initial=0)) + 1), dtype=np.int64)
        np.add.at(votes, (owners(points[known], layout), label[known]), 1)
        return np.where(votes.any(axis=1), votes.argmax(axis=1), -1)

    def picture(self, sample: Sample) -> np.ndarray:
        return drawn(sample, np.full((len(sample.streams["main"]), 3), NEUTRAL))

    def mask_picture(self, sample: Sample, layout: Layout, plan: MaskPlan) -> np.ndarray | None:
        """Every point in the colour of its cell: seen or asked for; a context in another stream is not drawn."""
        colours = np.full((len(layout), 3), HIDDEN)
        for query in plan.queries:
            if query.context == 0 and query.stream == "main":
                colours[query.positions.idx] = ASKED
        if plan.contexts[0].stream == "main":
            colours[plan.contexts[0].positions.idx] = SEEN
        return drawn(sample, colours[owners(np.nan_to_num(sample.streams["main"]), layout)])


def placed(points: np.ndarray, sample: Sample, parts: int) -> np.ndarray:
    """(P, 2) int64: in which of `parts` along x and y of its tile a point lies, outer ones being open."""
    place = np.nan_to_num(points[:, :2])
    low = place.min(axis=0)
    left, low_y, side = sample.meta.get("square", (low[0], low[1], max(float(np.ptp(place, axis=0).max()), 1e-6)))
    return np.clip(np.floor((place - (left, low_y)) / side * parts), 0, parts - 1).astype(np.int64)


def owners(points: np.ndarray, layout: Layout) -> np.ndarray:
    """(P,) number of the cell that holds each point: of square cells, the one whose centre is nearest along either axis."""
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(layout.coords).query(points[:, :2], p=np.inf)[1])


def drawn(sample: Sample, colours: np.ndarray) -> np.ndarray:
    """(160, 160, 3) uint8 seen from above, x upwards, y to the left; higher points brighter and in front."""
    points = sample.streams["main"]
    height = np.nan_to_num(points[:, 2])
    place = placed(points, sample, SIDE)
    order = np.argsort(height, kind="stable")
    shade = np.clip(0.6 + 0.15 * (height + 1.7), 0.4, 1.0)
    picture = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    picture[SIDE - 1 - place[order, 0], SIDE - 1 - place[order, 1]] = (colours[order] * shade[order, None]).astype(np.uint8)
    return picture
