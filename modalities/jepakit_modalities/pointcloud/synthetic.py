"""Made-up clouds: rough ground on a slope; the axis of the slope is the class; which side is high, place and size are chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jepakit_modalities.image.listing import Listing
from jepakit_modalities.pointcloud.cloud import XYZ, Cloud
from jepakit_modalities.pointcloud.reader import PointReader

POINTS = 256
NAMES = ("x", "x = y", "y", "x = -y")
"""Axes along which the ground rises or falls, a class each."""
RISE, ROUGH = 0.5, 0.3
"""Height at the edge and standard deviation of height, in halves of the side of the ground."""


@dataclass(frozen=True)
class Slopes:
    """Cloud number i.

    A few neighbouring points say little about the slope, since the ground is rough; all of them together say much, and one part of the
    cloud tells of the others: that is what can be learned from predicting hidden parts.
    """

    seed: int
    split: str

    def __call__(self, index: int) -> Cloud:
        rng = np.random.Generator(np.random.Philox(key=[self.seed, 2 * index + (self.split == "test")]))
        angle = np.pi / len(NAMES) * (index % len(NAMES) + rng.uniform(-0.3, 0.3)) + np.pi * rng.integers(2)
        x, y = rng.uniform(-1, 1, size=(2, POINTS))
        z = RISE * (np.cos(angle) * x + np.sin(angle) * y) + rng.normal(scale=ROUGH, size=POINTS)
        placed = np.stack([x, y, z], axis=1) * rng.uniform(0.5, 2) + rng.normal(size=3)
        return Cloud(placed.astype(np.float32), XYZ)


def slopes(count: int, seed: int, split: str) -> PointReader:
    """`count` clouds of 256 points; the same for the same (seed, split)."""
    listing = Listing(
        ids=[f"synthetic/{split}/{index}" for index in range(count)],
        labels=[index % len(NAMES) for index in range(count)],
        class_names=NAMES,
        digest=f"slopes-{seed}-{split}-{count}",
    )
    return PointReader(listing, Slopes(seed, split), origin="synthetic")
