"""Made-up images with known structure: the class is the orientation and frequency of a grating, everything else is chance."""

from __future__ import annotations

import numpy as np

from jepakit_modalities.image.listing import Listing
from jepakit_modalities.image.reader import ImageReader

SIDE, ORIENTATIONS, FREQUENCIES = 32, 4, (2.0, 4.0)
"""Cycles an image; eight classes. Phase, contrast and background are random, so no single pixel tells the class."""


def gratings(count: int, seed: int, split: str) -> ImageReader:
    """`count` images (1, 32, 32) uint8; the same for the same (seed, split)."""
    place = np.arange(SIDE) / SIDE
    y, x = np.meshgrid(place, place, indexing="ij")
    labels = [index % (ORIENTATIONS * len(FREQUENCIES)) for index in range(count)]

    def fetch(index: int) -> np.ndarray:
        rng = np.random.Generator(np.random.Philox(key=[seed, 2 * index + (split == "test")]))
        angle = np.pi * (labels[index] % ORIENTATIONS) / ORIENTATIONS
        frequency = FREQUENCIES[labels[index] // ORIENTATIONS]
        wave = np.sin(2 * np.pi * (frequency * (x * np.cos(angle) + y * np.sin(angle)) + rng.random()))
        slope = rng.normal(size=2)
        image = 128 + rng.uniform(15, 50) * wave + 20 * (slope[0] * x + slope[1] * y) + rng.normal(scale=12, size=wave.shape)
        return np.clip(np.rint(image), 0, 255).astype(np.uint8)[None]

    names = [f"{180 * turn // ORIENTATIONS} degrees, {frequency:g} cycles" for frequency in FREQUENCIES for turn in range(ORIENTATIONS)]
    listing = Listing(
        [f"synthetic/{split}/{index}" for index in range(count)], labels, class_names=names, digest=f"gratings-{seed}-{split}-{count}"
    )
    return ImageReader(listing, fetch, origin="synthetic")
