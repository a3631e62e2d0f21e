"""Made-up pieces of four stems that share a colour: what one plays says something about what another plays."""

from __future__ import annotations

import numpy as np

STEMS = ("bass", "drums", "other", "vocals")
"""The order of the channels, that of MUSDB18."""
RATE_HZ, SECONDS = 8000, 1.0
HOP = 80
"""Samples from one grain to the next; a grain is twice as long and fades in and out."""
COLOURS = ("colour 0", "colour 45", "colour 90", "colour 135")
"""A colour is a wave over the mel scale, and its number the phase in degrees; the opposite of one is half a turn away."""
STRENGTH, CHANCE, KNOTS = 0.8, 1.0, 11
"""Size of the colour, and of what each grain adds to it at that many places of the spectrum, in units of the logarithm of amplitude."""


def piece(seed: int, is_test: bool, index: int) -> np.ndarray:
    """(4, T) float32: piece number `index`, whose class is `index` modulo the number of colours.

    All stems of a piece have its colour, or all have the opposite, so the mean of a class has none; and since grains differ from each
    other more than classes do, one moment of one stem tells little. What they share is what a missing stem can be predicted from.
    """
    rng = np.random.Generator(np.random.Philox(key=[seed, 2 * index + is_test]))
    angle = np.pi / len(COLOURS) * (index % len(COLOURS) + rng.uniform(-0.3, 0.3)) + np.pi * rng.integers(2)
    sounds = np.stack([grains(rng, angle) for _ in STEMS])
    loud = rng.uniform(0.03, 0.07, size=(len(STEMS), 1))
    noise = rng.normal(scale=0.002, size=sounds.shape)
    return (loud * sounds / sounds.std(axis=1, keepdims=True) + noise).astype(np.float32)


def grains(rng: np.random.Generator, angle: float) -> np.ndarray:
    """(T,) noise in grains, each with a spectrum of its own, which all have the colour of that angle in common."""
    count = round(SECONDS * RATE_HZ) // HOP
    hertz = np.fft.rfftfreq(2 * HOP, 1 / RATE_HZ)
    place = np.log1p(hertz / 700) / np.log1p(RATE_HZ / 2 / 700)  # the mel scale (O'Shaughnessy 1987), from 0 to 1
    own = np.array([np.interp(place, np.linspace(0, 1, KNOTS), knots) for knots in rng.normal(scale=CHANCE, size=(count, KNOTS))])
    tones = rng.normal(size=(2, *own.shape)) * np.exp(own + STRENGTH * np.cos(2 * np.pi * place - angle))
    sounds = np.fft.irfft(tones[0] + 1j * tones[1], 2 * HOP) * np.hanning(2 * HOP)
    overlapped = np.zeros((count + 1, HOP))
    overlapped[:-1] += sounds[:, :HOP]
    overlapped[1:] += sounds[:, HOP:]
    return overlapped.reshape(-1)
