"""Made-up clips with known structure: the class is how the pitch moves, everything else is chance."""

from __future__ import annotations

from functools import partial

import numpy as np

from jepakit_modalities.audio.reader import AudioReader, Clip
from jepakit_modalities.image.listing import Listing

RATE_HZ, SECONDS = 8000, (0.5, 0.7)
MOVES = {"rise": (0.0, 1.0), "fall": (1.0, 0.0), "hill": (0.0, 1.0, 0.0), "valley": (1.0, 0.0, 1.0)}
"""Pitch at evenly spread times, between the clip's lowest and highest. All four pass the same pitches, only in another order."""


def chirps(count: int, seed: int, split: str) -> AudioReader:
    """`count` clips (1, T) float32 of four classes; the same for the same (seed, split)."""
    labels = [index % len(MOVES) for index in range(count)]
    ids = [f"synthetic/{split}/{index}" for index in range(count)]
    listing = Listing(ids, labels, class_names=list(MOVES), digest=f"chirps-{seed}-{split}-{count}")
    return AudioReader(listing, partial(chirp, seed, split == "test"), origin="synthetic")


def chirp(seed: int, is_test: bool, index: int) -> Clip:
    """Clip number `index`: a tone with one overtone whose pitch moves as its class says, in noise."""
    rng = np.random.Generator(np.random.Philox(key=[seed, 2 * index + is_test]))
    samples = int(rng.uniform(*SECONDS) * RATE_HZ)
    knots = list(MOVES.values())[index % len(MOVES)]
    low = rng.uniform(200, 800)
    octaves = rng.uniform(0.8, 1.8) * np.interp(np.linspace(0, 1, samples), np.linspace(0, 1, len(knots)), knots)
    phase = 2 * np.pi * np.cumsum(low * 2.0**octaves) / RATE_HZ + rng.uniform(0, 2 * np.pi)
    tone = sum(rng.uniform(0.2, 1.0) * np.sin(harmonic * phase) for harmonic in (1, 2))
    loudness = rng.uniform(0.05, 0.3) * np.hanning(samples) ** 0.3
    sound = loudness * tone + rng.uniform(0.005, 0.03) * rng.normal(size=samples)
    return sound.astype(np.float32)[None], RATE_HZ
