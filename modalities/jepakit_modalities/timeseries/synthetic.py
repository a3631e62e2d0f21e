"""Made-up series with known structure: the class is how fast a tone glides; where it starts, its phase and its size are random."""

from __future__ import annotations

import numpy as np

from jepakit_modalities.timeseries.reader import SeriesReader
from jepakit_modalities.timeseries.recordings import Recordings

CLASSES, CHANNELS, LENGTH, RATE = 4, 2, 128, 100.0
MISSING = 0.5
"""Share of the series that have a gap."""


def glides(count: int, seed: int, split: str) -> SeriesReader:
    """`count` series of two channels, 1.28 s at 100 Hz, a fifth of them shorter; four classes. The same for the same (seed, split)."""
    made = [one(seed, int(split == "test"), index) for index in range(count)]
    return SeriesReader(
        Recordings(
            [series for series, _ in made],
            [f"synthetic/{split}/{index}" for index in range(count)],
            labels=[label for _, label in made],
            class_names=tuple(f"glide {number}" for number in range(CLASSES)),
            rate_hz=RATE,
            channel_names=("a", "b"),
            units=("1", "1"),
        )
    )


def one(seed: int, part: int, index: int) -> tuple[np.ndarray, int]:
    """A series (2, T) float32 with missing values as NaN, and its class."""
    rng = np.random.Generator(np.random.Philox(key=[seed, 2 * index + part]))
    label = int(rng.integers(CLASSES))
    length = LENGTH if rng.random() < 0.8 else int(rng.integers(LENGTH // 2, LENGTH))
    t = np.arange(length) / RATE
    start, slope = rng.uniform(6, 9), (label - 1.5) * 4.0
    angle = 2 * np.pi * (start * t + slope * t**2 / 2) + rng.uniform(0, 2 * np.pi)
    series = rng.uniform(0.5, 2.0) * np.stack([np.sin(angle), np.sin(angle + rng.uniform(0, 2 * np.pi))])
    series = (series + rng.normal(scale=0.2, size=series.shape)).astype(np.float32)
    if rng.random() < MISSING:
        gap = int(rng.integers(length - 8))
        series[int(rng.integers(CHANNELS)), gap : gap + int(rng.integers(2, 9))] = np.nan
    return series, label
