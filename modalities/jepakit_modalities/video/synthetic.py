"""Made-up films with known structure: a light slides over a noisy picture; the axis along which it slides is the class."""

from __future__ import annotations

import numpy as np

from jepakit_modalities.video.address import ClipOptions
from jepakit_modalities.video.films import ArrayFilm
from jepakit_modalities.video.reader import ClipReader, Films

FRAMES, SIDE = 8, 32
"""Frames and pixels of a clip."""
LIGHT, SHADE, GRAIN = 70.0, 20.0, 30.0
"""Grey levels: the light at the brightest edge; spread of a still slope of brightness; noise of each pixel."""
AXES = ("left and right", "falling diagonal", "up and down", "rising diagonal")


def sliding_lights(count: int, seed: int, split: str) -> ClipReader:
    """`count` clips (1, 8, 32, 32) uint8; the same for the same (seed, split)."""
    labels = [index % len(AXES) for index in range(count)]
    films = [
        ArrayFilm(f"synthetic/{split}/{index}", light(seed, 2 * index + (split == "test"), label)) for index, label in enumerate(labels)
    ]
    return ClipReader(
        Films(films, labels, AXES, digest=f"lights-{seed}-{split}-{count}"), ClipOptions(frames=FRAMES, every=1), origin="synthetic"
    )


def light(seed: int, key: int, label: int) -> np.ndarray:
    """(8, 1, 32, 32) uint8: a slope of brightness that turns over as the light slides along its axis, one way or the other.

    Over a clip every pixel is as bright on average as every other, but for a still slope of any direction, and which way the light
    slides is chance: neither a tubelet nor the mean over tubelets tells the class. Where it grows bright and where dark does, and one
    part of the picture tells of the others. That is what can be learned from predicting hidden parts.
    """
    rng = np.random.Generator(np.random.Philox(key=[seed, key]))
    t, y, x = np.meshgrid(*(np.linspace(-1, 1, size) for size in (FRAMES, SIDE, SIDE)), indexing="ij")
    angle = np.pi / len(AXES) * (label + rng.uniform(-0.3, 0.3)) + np.pi * rng.integers(2)
    still = rng.normal(scale=SHADE, size=2)
    film = 128 + LIGHT * t * (np.cos(angle) * x + np.sin(angle) * y) + still[0] * x + still[1] * y
    return np.clip(np.rint(film + rng.normal(scale=GRAIN, size=film.shape)), 0, 255).astype(np.uint8)[:, None]
