"""The baselines of electrocardiograms: gradient boosting on the waveform of a beat, or on rhythm and band power of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from jepakit.sdk import Sample
from jepakit_modalities.timeseries.recordings import bridged, stretched

STEPS = 250
HERTZ = np.array([0.5, 2, 4, 8, 12, 20, 30, 45])
"""Edges of the bands of band power: P and T waves lie below 8 Hz, the QRS complex from 8 to 20."""


def waveform(sample: Sample) -> np.ndarray:
    """(12 * T,) float32, T at most 250."""
    signal = bridged(np.asarray(sample.streams["main"], dtype=np.float32))
    return stretched(signal, min(STEPS, int(sample.meta.get("longest", signal.shape[1])))).ravel()


def rhythm(sample: Sample) -> np.ndarray:
    """(17 + 7 * 12,) R-R intervals in seconds (count, mean, moments, differences, quantiles), then log band power of each lead."""
    from scipy.signal import find_peaks, welch

    rate = float(sample.meta["rate_hz"])
    signal = bridged(np.asarray(sample.streams["main"], dtype=np.float32))
    slope = np.abs(np.diff(signal, axis=1)).sum(0)
    width = max(1, round(0.1 * rate))
    energy = np.convolve(slope, np.ones(width) / width, mode="same")
    peaks, _ = find_peaks(energy, height=0.35 * np.quantile(energy, 0.99), distance=max(1, round(0.25 * rate)))
    gaps = np.diff(peaks) / rate if len(peaks) > 2 else np.ones(2)
    steps = np.diff(gaps) if len(gaps) > 1 else np.zeros(1)
    intervals = [len(peaks), gaps.mean(), gaps.std(), gaps.std() / gaps.mean(), np.abs(steps).mean(), np.sqrt(np.square(steps).mean())]
    hertz, power = welch(signal, rate, nperseg=min(signal.shape[1], round(4 * rate)), axis=1)
    bands = [power[:, (hertz >= low) & (hertz < high)].sum(1) for low, high in pairwise(HERTZ)]
    return np.concatenate([intervals, np.quantile(gaps, np.linspace(0, 1, 11)), np.log(np.stack(bands) + 1e-9).ravel()])


class WaveformBoosting:
    """In the manner of scikit-learn, over samples; classes weigh the root of their inverse frequency.

    Beats, whose facts are their R-R intervals: those and 64 principal components of the waveform. Recordings: rhythm and band power.
    """

    def fit(self, samples: Sequence[Sample], y: np.ndarray) -> WaveformBoosting:
        from sklearn.decomposition import PCA
        from sklearn.ensemble import HistGradientBoostingClassifier

        self.beats = "facts" in samples[0].meta
        if self.beats:
            x = np.stack([waveform(sample) for sample in samples])
            self.reduce: Any = PCA(min(64, *x.shape), svd_solver="randomized", random_state=0).fit(x)
        classes, place, counts = np.unique(y, return_inverse=True, return_counts=True)
        weights = np.sqrt(len(y) / (len(classes) * counts))[place]
        self.model: Any = HistGradientBoostingClassifier(max_iter=60, early_stopping=False, random_state=0)
        self.model.fit(self._features(samples), y, sample_weight=weights)
        self.classes_ = self.model.classes_
        return self

    def predict(self, samples: Sequence[Sample]) -> np.ndarray:
        """(M,) classes."""
        return np.asarray(self.model.predict(self._features(samples)))

    def predict_proba(self, samples: Sequence[Sample]) -> np.ndarray:
        """(M, classes)."""
        return np.asarray(self.model.predict_proba(self._features(samples)))

    def _features(self, samples: Sequence[Sample]) -> np.ndarray:
        if not self.beats:
            return np.stack([rhythm(sample) for sample in samples])
        x = self.reduce.transform(np.stack([waveform(sample) for sample in samples]))
        return np.hstack([x, np.array([np.asarray(sample.meta["facts"], dtype=float) for sample in samples])])
