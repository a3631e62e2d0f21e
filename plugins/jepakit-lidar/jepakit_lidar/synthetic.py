"""Made-up streets: the class is the direction and spacing of a row of boxes; place, size and everything on the ground are chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from jepakit.sdk import Reader, Sample

SIDE, DIRECTIONS, SPACINGS = 16.0, 4, (2.4, 4.8)
GROUND, BOX_POINTS, BOXES = 400, 24, 6
"""Points on the ground and on each box; boxes of a row."""


class Streets(Reader):
    """Tiles of 16 m, the same for the same (seed, split); the sensor stands at their lower left corner."""

    def __init__(self, count: int, seed: int, split: str) -> None:
        self.count, self.seed, self.split = count, seed, split

    def __len__(self) -> int:
        return self.count

    def read(self, index: int) -> Sample:
        rng = np.random.Generator(np.random.Philox(key=[self.seed, 2 * index + (self.split == "test")]))
        label = index % (DIRECTIONS * len(SPACINGS))
        points = street(rng, np.pi * (label % DIRECTIONS) / DIRECTIONS, SPACINGS[label // DIRECTIONS])
        return Sample({"main": points}, id=f"synthetic/{self.split}/{index}", label=label, meta={"square": (0.0, 0.0, SIDE)})

    def spec(self) -> Mapping[str, Any]:
        names = [f"{180 * turn // DIRECTIONS} degrees, every {gap:g} m" for gap in SPACINGS for turn in range(DIRECTIONS)]
        return {"kind": "lidar", "columns": ["x", "y", "z", "intensity"], "class_names": names, "count": self.count}

    def fingerprint(self) -> str:
        return f"streets-{self.seed}-{self.split}-{self.count}"


def street(rng: np.random.Generator, angle: float, gap: float) -> np.ndarray:
    """(P, 4) float32: ground, and boxes every `gap` metres along a line through the tile."""
    ground = np.column_stack([rng.uniform(0, SIDE, (GROUND, 2)), rng.normal(-1.7, 0.03, GROUND), rng.uniform(0, 0.3, GROUND)])
    steps = (np.arange(BOXES) - (BOXES - 1) / 2 + rng.uniform(-0.5, 0.5)) * gap
    feet = rng.uniform(0.3, 0.7, 2) * SIDE + steps[:, None] * np.array([np.cos(angle), np.sin(angle)])
    boxes = [box(foot, rng) for foot in feet if (foot > 0.5).all() and (foot < SIDE - 0.5).all()]
    return np.concatenate([ground, *boxes]).astype(np.float32)


def box(foot: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(BOX_POINTS, 4) within 0.4 m of a foot, up to 2 m high."""
    place = foot + rng.uniform(-0.4, 0.4, (BOX_POINTS, 2))
    return np.column_stack([place, rng.uniform(-1.6, 0.3, BOX_POINTS), rng.uniform(0.4, 0.8, BOX_POINTS)])
