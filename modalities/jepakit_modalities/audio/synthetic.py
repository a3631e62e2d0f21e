"""Made-up clips with known structure: a noise whose colour is the class, and whether it is that colour or its opposite is chance."""

from __future__ import annotations

from functools import partial

import numpy as np

from jepakit_modalities.audio.reader import AudioReader, Clip
from jepakit_modalities.audio.spectrum import mel
from jepakit_modalities.image.listing import Listing

RATE_HZ, SECONDS = 8000, (0.5, 0.7)
HOP = 80
"""Samples from one grain to the next; a grain is twice as long and fades in and out."""
COLOURS = ("colour 0", "colour 45", "colour 90", "colour 135")
"""A colour is a wave over the mel scale, and its number the phase in degrees; the opposite of one is half a turn away."""
STRENGTH, CHANCE, KNOTS = 0.8, 1.0, 11
"""Size of the colour, and of what each grain adds to it at that many places of the spectrum, in units of the logarithm of amplitude."""
LOUDNESS = 0.05


def colours(count: int, seed: int, split: str) -> AudioReader:
    """`count` clips (1, T) float32 of four classes; the same for the same (seed, split)."""
    labels = [index % len(COLOURS) for index in range(count)]
    ids = [f"synthetic/{split}/{index}" for index in range(count)]
    listing = Listing(ids, labels, class_names=list(COLOURS), digest=f"colours-{seed}-{split}-{count}")
    return AudioReader(listing, partial(coloured, seed, split == "test"), origin="synthetic")


def coloured(seed: int, is_test: bool, index: int) -> Clip:
    """Clip number `index`: grains of noise, each with a spectrum of its own, which all have one wave over the mel scale in common.

    Since the wave may stand on its head, the mean of all clips of a class has no colour; and since grains differ from each other more
    than classes do, one grain tells little. What they share is what can be learned from predicting some pieces from others.
    """
    rng = np.random.Generator(np.random.Philox(key=[seed, 2 * index + is_test]))
    count = int(rng.uniform(*SECONDS) * RATE_HZ) // HOP
    angle = np.pi / len(COLOURS) * (index % len(COLOURS) + rng.uniform(-0.3, 0.3)) + np.pi * rng.integers(2)
    return (LOUDNESS * grains(rng, angle, count)).astype(np.float32)[None], RATE_HZ


def grains(rng: np.random.Generator, angle: float, count: int) -> np.ndarray:
    """(T,) that many grains of noise, each with a spectrum of its own, which all have the colour of the angle in common."""
    place = np.array([mel(hertz) for hertz in np.fft.rfftfreq(2 * HOP, 1 / RATE_HZ)]) / mel(RATE_HZ / 2)
    own = np.array([np.interp(place, np.linspace(0, 1, KNOTS), knots) for knots in rng.normal(scale=CHANCE, size=(count, KNOTS))])
    tones = rng.normal(size=(2, *own.shape)) * np.exp(own + STRENGTH * np.cos(2 * np.pi * place - angle))
    sounds = np.fft.irfft(tones[0] + 1j * tones[1], 2 * HOP) * np.hanning(2 * HOP)
    overlapped = np.zeros((count + 1, HOP))
    overlapped[:-1] += sounds[:, :HOP]
    overlapped[1:] += sounds[:, HOP:]
    return overlapped.reshape(-1)
