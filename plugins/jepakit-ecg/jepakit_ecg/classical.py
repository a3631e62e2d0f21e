"""The baseline of electrocardiograms: the waveform and the sample's facts, gradient boosting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jepakit.sdk import Sample
from jepakit_modalities.timeseries.recordings import bridged, stretched

STEPS = 250


def waveform(sample: Sample) -> np.ndarray:
    """(12 * T,) float32, T at most 250."""
    signal = bridged(np.asarray(sample.streams["main"], dtype=np.float32))
    return stretched(signal, min(STEPS, int(sample.meta.get("longest", signal.shape[1])))).ravel()


class WaveformBoosting:
    """In the manner of scikit-learn, over samples; classes weigh the root of their inverse frequency."""

    def fit(self, samples: Sequence[Sample], y: np.ndarray) -> WaveformBoosting:
        from sklearn.decomposition import PCA
        from sklearn.ensemble import HistGradientBoostingClassifier

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
        x = self.reduce.transform(np.stack([waveform(sample) for sample in samples]))
        facts = np.array([np.asarray(sample.meta.get("facts", ()), dtype=float) for sample in samples]).reshape(len(samples), -1)
        return np.hstack([x, facts])
