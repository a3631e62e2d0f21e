"""Made-up recordings: a rhythm with the field of a dipole; which way the dipole lies is the class, everything else is chance."""

from __future__ import annotations

import numpy as np

from jepakit_eeg.electrodes import positions
from jepakit_eeg.reader import Recording

NAMES = ("Fz", "F4", "C4", "P4", "Pz", "P3", "C3", "F3")
"""A ring around the head."""
RATE, SECONDS, RHYTHM_HZ = 128.0, 4.0, 11.0
AXES = ("front to back", "front right to back left", "left to right", "front left to back right")
STRENGTH, WANDER = 2.0, 0.5
"""Amplitude at the strongest electrode, beside noise of one unit; spread of its logarithm over seconds and electrodes."""


def dipole(seed: int, split: str, index: int) -> Recording:
    """Noise with falling spectrum, and a rhythm that is strong on both sides along the dipole and vanishes across it.

    How strong it is at one electrode in one second is mostly chance, so no token tells the class, and neither does their mean: the
    pattern over the head does, which all seconds share. That is what can be learned from predicting some tokens from others. Half of the
    trials have a gap.
    """
    rng = np.random.Generator(np.random.Philox(key=[seed, 2 * index + (split == "test")]))
    label, t = int(rng.integers(len(AXES))), np.arange(round(RATE * SECONDS)) / RATE
    place = positions(NAMES)
    place = np.asarray(place, dtype=np.float64)[:, :2]
    angle = np.pi / len(AXES) * (label + rng.uniform(-0.3, 0.3))
    field = place @ np.array([np.sin(angle), np.cos(angle)]) / np.linalg.norm(place, axis=1).max()
    size = np.exp(rng.normal(scale=WANDER, size=(len(NAMES), int(SECONDS)))).repeat(int(RATE), axis=1)
    noise = np.cumsum(rng.normal(scale=0.3, size=(len(NAMES), len(t))), axis=1)
    rhythm = np.sin(2 * np.pi * RHYTHM_HZ * t + rng.uniform(0, 2 * np.pi))
    signal = (noise - noise.mean(axis=1, keepdims=True) + STRENGTH * field[:, None] * size * rhythm).astype(np.float32)
    if rng.random() < 0.5:
        gap = int(rng.integers(len(t) - 20))
        signal[int(rng.integers(len(NAMES))), gap : gap + 12] = np.nan
    return Recording(f"synthetic/{split}/{index}", signal, RATE, NAMES, positions(NAMES), f"subject {index}", label)
