"""The baselines of audio: a small log-mel picture, and statistics of the log-mel spectrogram with a support vector machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from einops import rearrange

from jepakit.sdk import Sample
from jepakit_modalities.audio.spectrum import spectrogram

MELS, PARTS = 40, 8
"""Bands and equal parts of time of the small picture, 320 values a clip."""
QUARTERS = 4
STRENGTH = 10.0
"""C of the support vector machine, an ordinary choice for standardised features; nothing was tuned."""


def small_picture(sample: Sample) -> np.ndarray:
    """(320,) float32: mean log-mel energy of 40 bands in 8 equal parts of the clip."""
    return in_parts(log_mels(sample), PARTS).ravel()


def log_mels(sample: Sample) -> np.ndarray:
    """(40, frames) float32."""
    return spectrogram(sample.streams["main"], int(sample.meta["rate_hz"]), MELS)


def in_parts(values: np.ndarray, parts: int) -> np.ndarray:
    """(M, T) → (M, parts): means of equal parts of time; parts of a short clip may share a frame."""
    edges = np.linspace(0, values.shape[1], parts + 1)
    starts = np.minimum(np.floor(edges[:-1]).astype(int), values.shape[1] - 1)
    stops = np.maximum(np.ceil(edges[1:]).astype(int), starts + 1)
    return np.stack([values[:, start:stop].mean(axis=1) for start, stop in zip(starts, stops)], axis=1).astype(np.float32)


def statistics(sample: Sample) -> np.ndarray:
    """(281,) float32: of each band mean, deviation, change from frame to frame, four quarters' means less the mean; and the duration."""
    values = log_mels(sample)
    mean = values.mean(axis=1)
    change = np.abs(np.diff(values, axis=1)).mean(axis=1) if values.shape[1] > 1 else np.zeros_like(mean)
    quarters = in_parts(values, QUARTERS) - mean[:, None]
    duration = [np.log(values.shape[1])]
    return np.concatenate([mean, values.std(axis=1), change, rearrange(quarters, "m q -> (q m)"), duration]).astype(np.float32)


class StatisticsBaseline:
    """An estimator over lists of samples, in the manner of scikit-learn."""

    def __init__(self, task: str) -> None:
        self.task = task

    def fit(self, samples: Sequence[Sample], y: np.ndarray) -> StatisticsBaseline:
        """Scaler and support vector machine, fitted on the same samples."""
        from sklearn.multiclass import OneVsRestClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC, SVR

        machine: Any = SVR(C=STRENGTH) if self.task == "regression" else SVC(C=STRENGTH)
        last = OneVsRestClassifier(machine) if self.task == "multilabel" else machine
        self.model: Any = make_pipeline(StandardScaler(), last).fit(np.stack([statistics(sample) for sample in samples]), y)
        return self

    def predict(self, samples: Sequence[Sample]) -> np.ndarray:
        """(M,) classes or values, (M, L) where y had L columns."""
        return np.asarray(self.model.predict(np.stack([statistics(sample) for sample in samples])))
