"""Made-up clouds: the class is the surface that points lie on; place, size, turn and stretch are chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jepakit_modalities.image.listing import Listing
from jepakit_modalities.pointcloud.cloud import XYZ, Cloud
from jepakit_modalities.pointcloud.reader import PointReader

POINTS = 256
NAMES = ("ball", "box", "cone", "ring")
NOISE = 0.02
"""Standard deviation of every coordinate, as a share of the size."""


@dataclass(frozen=True)
class Surfaces:
    """Cloud number i."""

    seed: int
    split: str

    def __call__(self, index: int) -> Cloud:
        rng = np.random.Generator(np.random.Philox(key=[self.seed, 2 * index + (self.split == "test")]))
        points = surface(NAMES[index % len(NAMES)], rng) * rng.uniform(0.6, 1.4, size=3)
        angle = rng.uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        placed = (points @ turn.T + rng.normal(scale=NOISE, size=points.shape)) * rng.uniform(0.5, 2) + rng.normal(size=3)
        return Cloud(placed.astype(np.float32), XYZ)


def surfaces(count: int, seed: int, split: str) -> PointReader:
    """`count` clouds of 256 points; the same for the same (seed, split)."""
    listing = Listing(
        ids=[f"synthetic/{split}/{index}" for index in range(count)],
        labels=[index % len(NAMES) for index in range(count)],
        class_names=NAMES,
        digest=f"surfaces-{seed}-{split}-{count}",
    )
    return PointReader(listing, Surfaces(seed, split), origin="synthetic")


def surface(name: str, rng: np.random.Generator) -> np.ndarray:
    """(256, 3) points spread over a surface of size about one."""
    turn, height = rng.uniform(0, 2 * np.pi, POINTS), rng.uniform(-1, 1, POINTS)
    if name == "ball":
        wide = np.sqrt(1 - height**2)
        return np.stack([wide * np.cos(turn), wide * np.sin(turn), height], axis=1)
    if name == "box":
        points = rng.uniform(-1, 1, size=(POINTS, 3))
        points[np.arange(POINTS), rng.integers(0, 3, POINTS)] = rng.choice([-1.0, 1.0], POINTS)
        return points
    if name == "cone":
        wide = np.sqrt((height + 1) / 2)  # even over the side
        return np.stack([wide * np.cos(turn), wide * np.sin(turn), 1 - 2 * wide], axis=1)
    tube = rng.uniform(0, 2 * np.pi, POINTS)
    wide = 0.75 + 0.25 * np.cos(tube)
    return np.stack([wide * np.cos(turn), wide * np.sin(turn), 0.25 * np.sin(tube)], axis=1)
