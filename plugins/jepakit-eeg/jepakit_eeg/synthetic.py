"""Made-up recordings: a wave that travels over the head and two rhythms; where it goes and which rhythm is strong is the class."""

from __future__ import annotations

import numpy as np

from jepakit_eeg.electrodes import positions
from jepakit_eeg.reader import Recording

NAMES = ("Fz", "F4", "C4", "P4", "Pz", "P3", "C3", "F3")
"""A ring around the head."""
RATE, SECONDS = 128.0, 4.0
AXES = ("front to back", "front right to back left", "left to right", "front left to back right")
WAVE_HZ, WAVE, DELAY = 11.0, 2.0, 2.4
"""The travelling wave: its amplitude beside noise of about one unit, and how far its phase at the edge of the head is from the middle."""
RHYTHMS_HZ, RHYTHM, STRENGTH = (16.0, 30.0), 0.4, 0.8
"""The two rhythms: their amplitude, and how far its logarithm goes up in one when it goes down in the other."""
CHANCE_OF_WAVE, CHANCE_OF_RHYTHM = 0.3, 0.8
"""What each second adds to the logarithm of an amplitude at each electrode."""


def travelling(seed: int, split: str, index: int) -> Recording:
    """Recording number `index`: noise with falling spectrum, and a hidden angle that shows in two ways, for waveforms and for spectra.

    A wave is ahead on one side of the head and behind on the other, and which of the two is chance, so no electrode alone tells
    anything. Two rhythms are strong or weak by cosine and sine of the same angle, but each second at each electrode differs more than
    classes do, and opposite angles are one class, so neither does their mean. What all seconds and electrodes share is what can be
    learned from predicting some tokens from others. Half of the trials have a gap.
    """
    rng = np.random.Generator(np.random.Philox(key=[seed, 2 * index + (split == "test")]))
    label, t = int(rng.integers(len(AXES))), np.arange(round(RATE * SECONDS)) / RATE
    angle = np.pi / len(AXES) * (label + rng.uniform(-0.3, 0.3)) + np.pi * rng.integers(2)
    place = np.asarray(positions(NAMES), dtype=np.float64)[:, :2]
    ahead = place @ np.array([np.sin(angle), np.cos(angle)]) / np.linalg.norm(place, axis=1).max()
    noise = np.cumsum(rng.normal(scale=0.3, size=(len(NAMES), len(t))), axis=1)
    phase = 2 * np.pi * WAVE_HZ * t + rng.uniform(0, 2 * np.pi) + DELAY * ahead[:, None]
    signal = noise - noise.mean(axis=1, keepdims=True) + WAVE * sizes(rng, 0.0, CHANCE_OF_WAVE) * np.sin(phase)
    for hertz, strength in zip(RHYTHMS_HZ, (np.cos(angle), np.sin(angle)), strict=True):
        phase = 2 * np.pi * hertz * t + rng.uniform(0, 2 * np.pi, (len(NAMES), 1))
        signal += RHYTHM * sizes(rng, STRENGTH * strength, CHANCE_OF_RHYTHM) * np.sin(phase)
    if rng.random() < 0.5:
        gap = int(rng.integers(len(t) - 20))
        signal[int(rng.integers(len(NAMES))), gap : gap + 12] = np.nan
    return Recording(f"synthetic/{split}/{index}", signal.astype(np.float32), RATE, NAMES, positions(NAMES), f"subject {index}", label)


def sizes(rng: np.random.Generator, mean: float, spread: float) -> np.ndarray:
    """(electrodes, T) amplitudes, constant over each second; mean and spread of their logarithm."""
    return np.exp(rng.normal(mean, spread, size=(len(NAMES), int(SECONDS)))).repeat(int(RATE), axis=1)
