"""Spectral whitening: the mean spectrum of a subject, electrode by electrode, is made flat; what is left are departures from it.

Every brain, cap and amplifier colours its recordings in its own way, and that colour is the same in all trials of a subject. Contexts of a
trial then agree on who it was before they agree on anything else. Dividing by the subject's mean spectrum takes that answer away,
without labels. The filter has no phase and is as smooth as windows of a second make it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jepakit.sdk import DataError
from jepakit_eeg.reader import Recording
from jepakit_eeg.room import by_channel
from jepakit_modalities.timeseries.recordings import bridged

FLOOR = 1e-3
"""Share of an electrode's mean power below which a frequency is not raised any more: filters of the recorder leave bands empty. Ours."""


def whitened(recordings: Sequence[Recording]) -> list[Recording]:
    """Each electrode of a subject over the root of its mean power spectrum. DataError for recordings shorter than a second."""
    spectra: dict[tuple[str, str], list[np.ndarray]] = {}
    for one in recordings:
        for name, row in zip(one.channels, power(one)):
            spectra.setdefault((one.group, name), []).append(row)
    means = {key: np.mean(rows, axis=0) for key, rows in spectra.items()}
    out = []
    for one in recordings:
        mean = np.stack([means[one.group, name] for name in one.channels])
        out.append(replace(one, signal=divided(one, np.sqrt(np.maximum(mean, FLOOR * mean.mean(axis=1, keepdims=True)))), units="1"))
    return out


def power(one: Recording) -> np.ndarray:
    """(C, F) power by Welch's method in windows of a second, of a signal whose gaps are bridged."""
    from scipy.signal import welch

    window = round(one.rate_hz)
    if one.signal.shape[1] < window:
        raise DataError(f"{one.name}: {one.signal.shape[1] / one.rate_hz:g} s long; whitening needs a second at least")
    rows = (bridged(one.signal[number : number + 1]) for number in range(len(one.signal)))
    return np.concatenate([welch(row, one.rate_hz, nperseg=window, axis=1)[1] for row in rows])


def divided(one: Recording, gain: np.ndarray) -> np.ndarray:
    """(C, T) float32, the signal over gain (C, F), given at F even steps up to half the rate; missing values stay missing."""
    length = one.signal.shape[1]
    place = np.linspace(0, gain.shape[1] - 1, length // 2 + 1)

    def flattened(row: np.ndarray, number: int) -> np.ndarray:
        curve = np.interp(place, np.arange(gain.shape[1]), np.maximum(gain[number], 1e-12))
        return np.where(np.isfinite(row), np.fft.irfft(np.fft.rfft(bridged(row), axis=1) / curve, n=length, axis=1), np.nan)

    return by_channel(one.signal, flattened)
