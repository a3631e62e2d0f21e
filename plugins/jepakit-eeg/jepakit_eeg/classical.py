"""Raw features and the baseline of EEG: logarithmic power in bands of one hertz, logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jepakit.sdk import Sample
from jepakit_modalities.timeseries.recordings import bridged

LOW, HIGH = 1, 45
"""Hertz. The band that scalp recordings are usually read in; where the rate is unknown it counts as 100 Hz."""


def powers(sample: Sample) -> np.ndarray:
    """(C * 44,) float32, log power by Welch's method in windows of one second; bands above half the rate are zero."""
    from scipy.signal import welch

    series = bridged(np.asarray(sample.streams["main"], dtype=np.float32))
    rate = float(sample.meta.get("rate_hz") or 100.0)
    hertz, power = welch(series, rate, nperseg=min(series.shape[1], round(rate)), axis=1)
    bands = np.arange(LOW, HIGH)
    inside = bands <= hertz[-1]
    out = np.zeros((len(series), len(bands)), dtype=np.float32)
    out[:, inside] = np.log(np.stack([np.interp(bands[inside], hertz, row) for row in power]) + 1e-12)
    return out.ravel()


class BandPower:
    """In the manner of scikit-learn, over samples."""

    def fit(self, samples: Sequence[Sample], y: np.ndarray) -> BandPower:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self.model: Any = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
        self.model.fit(np.stack([powers(sample) for sample in samples]), y)
        self.classes_ = self.model.classes_
        return self

    def predict(self, samples: Sequence[Sample]) -> np.ndarray:
        """(M,) classes."""
        return np.asarray(self.model.predict(np.stack([powers(sample) for sample in samples])))

    def predict_proba(self, samples: Sequence[Sample]) -> np.ndarray:
        """(M, classes)."""
        return np.asarray(self.model.predict_proba(np.stack([powers(sample) for sample in samples])))
