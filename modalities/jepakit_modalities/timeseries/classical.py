"""Library baselines: MiniRocket (Dempster et al. 2021, arXiv 2012.08791) for classes, ridge on the centred past for numbers."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from jepakit.sdk import Sample
from jepakit_modalities.timeseries.recordings import bridged, stretched

PENALTIES = tuple(float(10.0**power) for power in range(-3, 5))
LONGEST, RAGGED, SHORTEST = 512, 64, 16
"""Steps that raw features keep at most, and those of series of different lengths: a training and a test part need the same number, and
neither knows the longest series of the other. MiniRocket needs nine."""


def flat(sample: Sample) -> np.ndarray:
    """(C * T,) float32: missing values bridged, series of different lengths at 64 steps, others at 512 at most, centred if asked."""
    series = regular(sample)
    if sample.meta.get("centred"):
        series = series - series.mean(axis=1, keepdims=True)
    return series.astype(np.float32).ravel()


def regular(sample: Sample) -> np.ndarray:
    """(C, T) without gaps, T the same for all samples of a set."""
    series = bridged(np.asarray(sample.streams["main"], dtype=np.float32))
    return stretched(series, RAGGED if sample.meta.get("ragged") else min(LONGEST, series.shape[1]))


def baseline(task: str) -> tuple[str, Any] | None:
    """A name and an unfitted estimator over lists of samples; None for other tasks, and for classes without aeon."""
    if task == "regression":
        return "ridge on the centred past", PastRidge()
    if task == "classification" and find_spec("aeon") is not None:
        return "MiniRocket + ridge", RocketBaseline()
    return None


class RocketBaseline:
    """In the manner of scikit-learn, over samples."""

    def fit(self, samples: Sequence[Sample], y: np.ndarray) -> RocketBaseline:
        from aeon.transformations.collection.convolution_based import MiniRocket
        from sklearn.linear_model import RidgeClassifierCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self.length = max(SHORTEST, *(sample.streams["main"].shape[1] for sample in samples))
        self.rocket = MiniRocket(random_state=0, n_jobs=1)
        features = self.rocket.fit_transform(self._array(samples))
        self.model: Any = make_pipeline(StandardScaler(with_mean=False), RidgeClassifierCV(np.logspace(-3, 3, 10)))
        self.model.fit(features, y)
        self.classes_ = self.model.classes_
        return self

    def predict(self, samples: Sequence[Sample]) -> np.ndarray:
        """(M,) classes."""
        return np.asarray(self.model.predict(self.rocket.transform(self._array(samples))))

    def _array(self, samples: Sequence[Sample]) -> np.ndarray:
        series = [stretched(bridged(np.asarray(sample.streams["main"], dtype=np.float32)), self.length) for sample in samples]
        return np.stack(series).astype(np.float32)


class PastRidge:
    """Ridge on values minus the mean of their series, whose mean is a feature of its own unless the labels are centred too."""

    def fit(self, samples: Sequence[Sample], y: np.ndarray) -> PastRidge:
        from sklearn.linear_model import RidgeCV

        self.model: Any = RidgeCV(PENALTIES).fit(self._array(samples), y)
        return self

    def predict(self, samples: Sequence[Sample]) -> np.ndarray:
        """(M,) or (M, L) values."""
        return np.asarray(self.model.predict(self._array(samples)))

    def _array(self, samples: Sequence[Sample]) -> np.ndarray:
        rows = []
        for sample in samples:
            series = regular(sample)
            mean = series.mean(axis=1, keepdims=True)
            rows.append(np.concatenate([(series - mean).ravel(), [] if sample.meta.get("centred") else mean.ravel()]))
        return np.asarray(rows, dtype=np.float64)
