"""Made-up pieces of four stems that share a colour: what one plays says something about what another plays."""

from __future__ import annotations

import numpy as np

from jepakit_modalities.audio.synthetic import COLOURS, HOP, RATE_HZ, grains

STEMS = ("bass", "drums", "other", "vocals")
"""The order of the channels, that of MUSDB18."""
SECONDS = 1.0


def piece(seed: int, is_test: bool, index: int) -> np.ndarray:
    """(4, T) float32: piece number `index`, whose class is `index` modulo the number of colours.

    All stems of a piece have its colour, or all have the opposite, so the mean of a class has none; and since grains differ from each
    other more than classes do, one moment of one stem tells little. What they share is what a missing stem can be predicted from.
    """
    rng = np.random.Generator(np.random.Philox(key=[seed, 2 * index + is_test]))
    angle = np.pi / len(COLOURS) * (index % len(COLOURS) + rng.uniform(-0.3, 0.3)) + np.pi * rng.integers(2)
    sounds = np.stack([grains(rng, angle, round(SECONDS * RATE_HZ) // HOP) for _ in STEMS])
    loud = rng.uniform(0.03, 0.07, size=(len(STEMS), 1))
    noise = rng.normal(scale=0.002, size=sounds.shape)
    return (loud * sounds / sounds.std(axis=1, keepdims=True) + noise).astype(np.float32)
