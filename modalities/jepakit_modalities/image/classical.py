"""The classical baseline of images: histograms of oriented gradients (Dalal and Triggs, CVPR 2005), then a linear model."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from jepakit.sdk import Sample
from jepakit_modalities.image.tokenizer import full_scale
from jepakit_modalities.image.views import resized

if TYPE_CHECKING:
    from sklearn.decomposition import PCA

SIDE, CELL, ORIENTATIONS = 64, 8, 9
"""64 x 64 pixels in cells of 8 with 9 directions: 1,764 values an image. Cell and directions as in the paper, section 6."""
COMPONENTS = 512
STRENGTHS = (0.01, 0.1, 1.0)
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Components are not standardised: by cross-validation on the training images of tiny_imagenet20 that costs 5 points."""
FOLDS, MOST_TO_CHOOSE = 3, 4_000
"""Cross-validation that chooses the penalty, on at most so many images; components and the model are then fitted on all."""


def hog_features(samples: Sequence[Sample]) -> np.ndarray:
    """(M, 1764) float32: gradients of images at 64 x 64, of the strongest channel in each pixel."""
    from skimage.feature import hog

    rows = []
    for sample in samples:
        image = sample.streams["main"]
        whole = (0, 0, image.shape[1], image.shape[2])
        small = resized(image, whole, (SIDE, SIDE)).astype(np.float32) / np.float32(full_scale(image.dtype))
        rows.append(hog(small.transpose(1, 2, 0), ORIENTATIONS, (CELL, CELL), (2, 2), channel_axis=-1, feature_vector=True))
    return np.asarray(rows, dtype=np.float32)


def baseline(task: str) -> tuple[str, Any] | None:
    """HOG, 512 principal components and logistic regression or ridge, whose penalty is chosen by cross-validation on what it is fitted on.

    None for other tasks, and without scikit-image.
    """
    if task not in ("classification", "regression", "multilabel") or find_spec("skimage") is None:
        return None
    return ("HOG + ridge" if task == "regression" else "HOG + logistic regression"), HogModel(task)


class HogModel:
    """In the manner of scikit-learn, over samples."""

    def __init__(self, task: str) -> None:
        self.task = task
        self.reduce: PCA | None = None
        self.model: Any = None
        self._last: tuple[Sequence[Sample] | None, np.ndarray] = None, np.empty(0)

    def fit(self, samples: Sequence[Sample], y: np.ndarray) -> HogModel:
        """Everything that is fitted or chosen sees these samples only; subjects stay together where groups are known."""
        from sklearn.decomposition import PCA

        x = hog_features(samples)
        self.reduce = PCA(min(COMPONENTS, *x.shape), svd_solver="covariance_eigh" if len(x) > x.shape[1] else "full").fit(x)
        z = self.reduce.transform(x)
        self.model = self._chosen(z, y, [sample.group for sample in samples]).fit(z, y)
        return self

    def predict(self, samples: Sequence[Sample]) -> np.ndarray:
        """(M,) classes or numbers, (M, L) where y had L columns."""
        z = self._reduced(samples)
        return np.asarray(self.model.predict(z))

    def predict_proba(self, samples: Sequence[Sample]) -> np.ndarray:
        """(M, C), classes in the order of `classes_`."""
        z = self._reduced(samples)
        return np.asarray(self.model.predict_proba(z))

    @property
    def classes_(self) -> np.ndarray:
        return np.asarray(self.model.classes_)

    def _reduced(self, samples: Sequence[Sample]) -> np.ndarray:
        """Components of the samples, made once for predictions and probabilities of the same ones."""
        if self.reduce is None:
            raise ValueError("fit the baseline first")
        if self._last[0] is not samples:
            self._last = samples, self.reduce.transform(hog_features(samples))
        return self._last[1]

    def _chosen(self, z: np.ndarray, y: np.ndarray, groups: Sequence[str | None]) -> Any:
        """The unfitted model of best cross-validated score."""
        from sklearn.model_selection import GridSearchCV

        rows = np.sort(np.random.default_rng(0).permutation(len(z))[:MOST_TO_CHOOSE])
        model, grid = self._models()
        search = GridSearchCV(model, grid, cv=self._cut(y[rows], [groups[row] for row in rows]), refit=False, error_score="raise")
        return model.set_params(**search.fit(z[rows], y[rows]).best_params_)

    def _cut(self, y: np.ndarray, groups: Sequence[str | None]) -> list[tuple[np.ndarray, np.ndarray]]:
        from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

        names = np.array([f"sample {row}" if group is None else group for row, group in enumerate(groups)])
        if any(group is not None for group in groups) and len(np.unique(names)) >= FOLDS:
            return list(GroupKFold(FOLDS).split(y, y, names))
        balanced = self.task == "classification" and int(np.unique(y, return_counts=True)[1].min()) >= FOLDS
        kind: Any = StratifiedKFold if balanced else KFold
        return list(kind(FOLDS, shuffle=True, random_state=0).split(y, y))

    def _models(self) -> tuple[Any, dict[str, Any]]:
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.multiclass import OneVsRestClassifier

        if self.task == "regression":
            return Ridge(), {"alpha": PENALTIES}
        model = LogisticRegression(max_iter=300, tol=1e-3)
        if self.task == "multilabel":
            return OneVsRestClassifier(model), {"estimator__C": STRENGTHS}
        return model, {"C": STRENGTHS}
