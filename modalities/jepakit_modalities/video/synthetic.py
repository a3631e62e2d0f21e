"""Made-up films with known structure: a soft spot crosses a noisy picture, and its direction is the class; no single frame tells it."""

from __future__ import annotations

import numpy as np

from jepakit_modalities.video.address import ClipOptions
from jepakit_modalities.video.films import ArrayFilm
from jepakit_modalities.video.reader import ClipReader, Films

FRAMES, SIDE, SPOT, STEP = 8, 32, 3.0, 2.0
"""Frames and pixels of a clip; radius of the spot and pixels it moves a frame. It leaves on one side and comes back on the other."""
DIRECTIONS = (("right", 0, 1), ("left", 0, -1), ("down", 1, 0), ("up", -1, 0))


def moving_spots(count: int, seed: int, split: str) -> ClipReader:
    """`count` clips (1, 8, 32, 32) uint8; the same for the same (seed, split)."""
    labels = [index % len(DIRECTIONS) for index in range(count)]
    films = [
        ArrayFilm(f"synthetic/{split}/{index}", spot(seed, 2 * index + (split == "test"), label)) for index, label in enumerate(labels)
    ]
    names = [name for name, _, _ in DIRECTIONS]
    return ClipReader(
        Films(films, labels, names, digest=f"spots-{seed}-{split}-{count}"), ClipOptions(frames=(FRAMES,), every=1), origin="synthetic"
    )


def spot(seed: int, key: int, label: int) -> np.ndarray:
    """(8, 1, 32, 32) uint8."""
    rng = np.random.Generator(np.random.Philox(key=[seed, key]))
    _, down, right = DIRECTIONS[label]
    start, bright = rng.uniform(0, SIDE, 2), rng.uniform(60, 120)
    place = np.arange(SIDE)
    film = np.full((FRAMES, 1, SIDE, SIDE), rng.uniform(60, 120)) + rng.normal(scale=8, size=(FRAMES, 1, SIDE, SIDE))
    for number in range(FRAMES):
        away = [np.abs((place - start[axis] - STEP * number * way + SIDE / 2) % SIDE - SIDE / 2) for axis, way in enumerate((down, right))]
        film[number, 0] += bright * np.exp(-(away[0][:, None] ** 2 + away[1][None] ** 2) / (2 * SPOT**2))
    return np.clip(np.rint(film), 0, 255).astype(np.uint8)
