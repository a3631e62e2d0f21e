"""Made-up radar chips: a target of bright scatterers under speckle; the class is how the scatterers lie, everything else is chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jepakit_modalities.image.listing import Listing
from jepakit_modalities.image.reader import ImageReader
from jepakit_sar.reader import SarReader

SIDE, LENGTH = 32, 14.0
"""Pixels of a chip and of a target along its longer side."""
SHAPES = ("bar", "pair", "corner", "ring")
LOOKS = 4
"""Looks of the speckle: its power follows a gamma distribution of this shape and mean one (Goodman)."""


@dataclass(frozen=True)
class Chips:
    """Chip number i as (1, 32, 32) uint8."""

    seed: int
    split: str

    def __call__(self, index: int) -> np.ndarray:
        rng = np.random.Generator(np.random.Philox(key=[self.seed, 2 * index + (self.split == "test")]))
        y, x = np.mgrid[:SIDE, :SIDE].astype(np.float64)
        power = np.full((SIDE, SIDE), rng.uniform(60, 140))
        angle, centre = rng.uniform(0, np.pi), SIDE / 2 + rng.uniform(-4, 4, size=2)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        for place in outline(SHAPES[index % len(SHAPES)]) @ turn.T * (LENGTH / 2) + centre:
            power += rng.uniform(3e3, 2e4) * np.exp(-((y - place[0]) ** 2 + (x - place[1]) ** 2) / 2)
        speckle = rng.gamma(LOOKS, 1 / LOOKS, size=power.shape)
        return np.clip(np.rint(np.sqrt(power * speckle)), 0, 255).astype(np.uint8)[None]


def speckled(count: int, seed: int, split: str) -> SarReader:
    """`count` chips (1, 32, 32) uint8; the same for the same (seed, split)."""
    listing = Listing(
        ids=[f"synthetic/{split}/{index}" for index in range(count)],
        labels=[index % len(SHAPES) for index in range(count)],
        class_names=SHAPES,
        digest=f"speckled-{seed}-{split}-{count}",
    )
    return SarReader(ImageReader(listing, Chips(seed, split), origin="synthetic"), "amplitude")


def outline(shape: str) -> np.ndarray:
    """(n, 2): where the scatterers of a shape lie, within a circle of radius one."""
    line = np.linspace(-1, 1, 7)
    if shape == "bar":
        return np.stack([line, 0 * line], axis=1)
    if shape == "pair":
        return np.concatenate([np.stack([line, 0 * line + side], axis=1) for side in (-0.5, 0.5)])
    if shape == "corner":
        arm = (line + 1) / 2
        return np.concatenate([np.stack([arm, 0 * arm], axis=1), np.stack([0 * arm, arm], axis=1)]) * 1.4 - 0.5
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    return np.stack([np.cos(turn), np.sin(turn)], axis=1) * 0.7
