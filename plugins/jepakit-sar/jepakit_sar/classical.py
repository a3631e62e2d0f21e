"""The baseline of radar chips: the root of the amplitude, 256 principal components, logistic regression or ridge."""

from __future__ import annotations

from typing import Any

import numpy as np

from jepakit.sdk import Sample
from jepakit_modalities.image.views import resized
from jepakit_sar.quantity import full_scale

SIDE, COMPONENTS = 64, 256
"""Side of the image that is compressed, larger ones are shrunk; components kept at most."""

STRENGTH = 1.0
"""C of the logistic regression, chosen on held-out training samples of mstar_soc10; standardised components are worse."""


def root_pixels(sample: Sample, side: int) -> np.ndarray:
    """(C * side * side,) float32: the root of the amplitude over full scale, which brings bright scatterers and clutter closer."""
    image = sample.streams["main"]
    share = np.maximum(np.nan_to_num(image.astype(np.float32), nan=0.0) / np.float32(full_scale(image)), 0.0)
    return resized(np.sqrt(share), (0, 0, *share.shape[1:]), (side, side)).ravel()


class PixelBaseline:
    """An estimator over lists of samples, in the manner of scikit-learn."""

    def __init__(self, task: str) -> None:
        self.task = task

    def fit(self, samples: list[Sample], y: np.ndarray) -> PixelBaseline:
        """Fits components and classifier on the same samples."""
        from sklearn.decomposition import PCA
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.pipeline import make_pipeline

        x = np.stack([root_pixels(sample, SIDE) for sample in samples])
        last = LogisticRegression(C=STRENGTH, max_iter=500) if self.task == "classification" else Ridge(100.0)
        count = min(COMPONENTS, *x.shape)
        self.model: Any = make_pipeline(PCA(count, svd_solver="randomized", random_state=0), last)
        self.model.fit(x, y)
        if self.task == "classification":
            self.classes_ = self.model.classes_
        return self

    def predict(self, samples: list[Sample]) -> np.ndarray:
        """(M,) classes or values."""
        return np.asarray(self.model.predict(np.stack([root_pixels(sample, SIDE) for sample in samples])))

    def predict_proba(self, samples: list[Sample]) -> np.ndarray:
        """(M, classes); for classification."""
        return np.asarray(self.model.predict_proba(np.stack([root_pixels(sample, SIDE) for sample in samples])))
