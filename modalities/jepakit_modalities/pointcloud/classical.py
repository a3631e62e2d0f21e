"""The baseline of point clouds: which cells of a grid hold points, 256 principal components, logistic regression or ridge."""

from __future__ import annotations

from typing import Any

import numpy as np

from jepakit.sdk import Sample
from jepakit_modalities.pointcloud.normal import unit_sphere

GRID, COMPONENTS = 12, 256
"""Cells a side over the unit sphere; components kept at most."""

STRENGTH = 0.1
"""C of the logistic regression, chosen on held-out training samples of modelnet10_1024; standardised components are worse."""


def occupancy(sample: Sample) -> np.ndarray:
    """(1728,) float32 of 0 and 1: the cells of a 12 x 12 x 12 grid over the unit sphere that hold a point."""
    place = unit_sphere(sample.streams["main"][:, :3])[0]
    cell = np.clip(((place + 1) / 2 * GRID).astype(int), 0, GRID - 1)
    grid = np.zeros((GRID, GRID, GRID), dtype=np.float32)
    grid[tuple(cell.T)] = 1.0
    return grid.ravel()


class OccupancyBaseline:
    """An estimator over lists of samples, in the manner of scikit-learn."""

    def __init__(self, task: str) -> None:
        self.task = task

    def fit(self, samples: list[Sample], y: np.ndarray) -> OccupancyBaseline:
        """Fits components and classifier on the same samples."""
        from sklearn.decomposition import PCA
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.pipeline import make_pipeline

        x = np.stack([occupancy(sample) for sample in samples])
        last = LogisticRegression(C=STRENGTH, max_iter=500) if self.task == "classification" else Ridge(100.0)
        count = min(COMPONENTS, *x.shape)
        self.model: Any = make_pipeline(PCA(count, svd_solver="randomized", random_state=0), last)
        self.model.fit(x, y)
        if self.task == "classification":
            self.classes_ = self.model.classes_
        return self

    def predict(self, samples: list[Sample]) -> np.ndarray:
        """(M,) classes or values."""
        return np.asarray(self.model.predict(np.stack([occupancy(sample) for sample in samples])))

    def predict_proba(self, samples: list[Sample]) -> np.ndarray:
        """(M, classes); for classification."""
        return np.asarray(self.model.predict_proba(np.stack([occupancy(sample) for sample in samples])))
