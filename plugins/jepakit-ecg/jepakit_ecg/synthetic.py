"""Made-up hearts: how their field goes through the leads is the class, and whether it is that field or its opposite is chance."""

from __future__ import annotations

import numpy as np

from jepakit_ecg.leads import LEADS
from jepakit_ecg.records import Record

RATE, SECONDS = 100.0, 2.56
AXES = ("axis 0", "axis 45", "axis 90", "axis 135")
"""The axis is a wave over the twelve leads, and its number the phase in degrees; the opposite of one is half a turn away."""
PERIOD = (0.35, 0.6)
"""Seconds from beat to beat."""
STRENGTH, CHANCE = 0.8, 0.8
"""Millivolts of the axis in a beat, and of what each beat adds to it in each lead."""


def axis_of_heart(seed: int, split: str, index: int) -> Record:
    """Recording number `index`: beats of two waves, whose sizes in the twelve leads differ by chance and have one axis in common.

    Since the axis may be turned by half, the mean of all recordings of a class is flat; and since beats differ from each other more than
    classes do, one beat tells little. What they share is what can be learned from predicting some pieces from others. Rate, wander of
    the baseline and, in three of ten, missing leads are chance.
    """
    rng = np.random.Generator(np.random.Philox(key=[seed, 2 * index + (split == "test")]))
    label, t = index % len(AXES), np.arange(round(RATE * SECONDS)) / RATE
    angle = np.pi / len(AXES) * (label + rng.uniform(-0.3, 0.3)) + np.pi * rng.integers(2)
    axis = STRENGTH * np.cos(angle - np.linspace(0, np.pi, len(LEADS), endpoint=False))
    period = rng.uniform(*PERIOD)
    beats = np.arange(-rng.uniform(0, period), SECONDS, period)
    signal = 0.1 * np.sin(2 * np.pi * 0.3 * t + rng.uniform(0, 2 * np.pi, (len(LEADS), 1)))
    for delay, width, share in ((0.0, 0.03, 1.0), (0.2, 0.05, 0.3)):
        sizes = share * (axis + rng.normal(scale=CHANCE, size=(len(beats), len(LEADS))))
        signal += sizes.T @ np.exp(-(((t - beats[:, None] - delay) / width) ** 2))
    signal = (signal + rng.normal(scale=0.05, size=signal.shape)).astype(np.float32)
    if rng.random() < 0.3:
        signal[rng.permutation(len(LEADS))[: rng.integers(1, 5)]] = np.nan
    return Record(f"synthetic/{split}/{index}", signal, RATE, f"patient {index}", label)
