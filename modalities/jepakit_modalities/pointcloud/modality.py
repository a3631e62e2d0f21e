"""What a point cloud is: how it is opened, made up, looked at, and what its raw features are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from jepakit.sdk import DataError, Layout, MaskPlan, Modality, Reader, Sample
from jepakit_modalities.pointcloud.classical import OccupancyBaseline, occupancy
from jepakit_modalities.pointcloud.normal import unit_sphere
from jepakit_modalities.pointcloud.picture import NEUTRAL, drawn, owners
from jepakit_modalities.pointcloud.sources import open_path
from jepakit_modalities.pointcloud.synthetic import slopes

SPLITS = ("train", "test", "all")
SEEN, HIDDEN = (60, 150, 230), (70, 70, 70)
ASKED = ((230, 80, 60), (240, 180, 50), (90, 190, 90), (160, 100, 210))
SWEEP_POINTS, SWEEP_WIDTH = 10_000, 30.0
"""Points, and metres from end to end, from which a flat cloud is taken for what a sensor sees outdoors."""


class PointCloudModality(Modality):
    """Point clouds (P, 3 + F) float32: x, y, z, then features; any number of points."""

    name = "pointcloud"

    def open(self, source: str, split: str) -> Reader:
        if split not in SPLITS:
            raise DataError(f"{source}: no split '{split}'; there is {', '.join(SPLITS)}")
        return open_path(Path(source).expanduser())

    def synthetic(self, count: int, seed: int, split: str = "train") -> Reader:
        return slopes(count, seed, split)

    def resembles(self, sample: Sample) -> float:
        """Many points of three coordinates and a few values beside them, of which the coordinates spread alike."""
        points, values = sample.streams["main"].shape
        if points < 64 or not 3 <= values <= 9:
            return 0.05
        spread = np.ptp(sample.streams["main"][:, :3].astype(np.float64), axis=0)
        if points >= SWEEP_POINTS and spread.max() > SWEEP_WIDTH and spread[2] < spread.max() / 4:
            return 0.7  # what a sensor sees outdoors: readers of sweeps know more about it
        return 0.9 if spread.min() > 0 and np.median(spread) > spread.max() / 20 else 0.2

    def raw_features(self, sample: Sample) -> np.ndarray:
        """Which cells of a 12 x 12 x 12 grid over the unit sphere hold a point: (1728,) float32 of 0 and 1."""
        return occupancy(sample)

    def classical(self, task: str) -> tuple[str, Any] | None:
        if task not in ("classification", "regression"):
            return None
        return "occupancy + PCA + " + ("logistic regression" if task == "classification" else "ridge"), OccupancyBaseline(task)

    def picture(self, sample: Sample) -> np.ndarray:
        points = unit_sphere(sample.streams["main"][:, :3])[0]
        return drawn(points, np.full((len(points), 3), NEUTRAL))

    def mask_picture(self, sample: Sample, layout: Layout, plan: MaskPlan) -> np.ndarray | None:
        """Every point in the colour of the token nearest to it: seen, predicted (a colour a query) or neither."""
        points = unit_sphere(sample.streams["main"][:, :3])[0]
        colours = np.full((len(layout), 3), HIDDEN)
        colours[plan.contexts[0].positions.idx] = SEEN
        for number, query in enumerate(query for query in plan.queries if query.context == 0):
            colours[query.positions.idx] = ASKED[number % len(ASKED)]
        return drawn(points, colours[owners(points, layout)])
