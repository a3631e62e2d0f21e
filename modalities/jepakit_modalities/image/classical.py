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
    from sklearn.pipeline import Pipeline

SIDE, CELL, ORIENTATIONS = 64, 8, 9
"""64 x 64 pixels in cells of 8 with 9 directions: 1,764 values an image. Cell and directions as in the paper, section 6."""
COMPONENTS = 512
STRENGTHS = (0.01, 0.1, 1.0)
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Components are not standardised: by cross-validation on the training images of tiny_imagenet20 that costs 5 points."""
FOLDS = 3


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
        self.model: Pipeline | None = None

    def fit(self, samples: Sequence[Sample], y: np.ndarray) -> HogModel:
        """Everything that is fitted or chosen sees these samples only; subjects stay together where groups are known."""
        from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, StratifiedKFold

        x = hog_features(samples)
        groups = np.array([sample.id if sample.group is None else sample.group for sample in samples])
        known = any(sample.group is not None for sample in samples) and len(np.unique(groups)) >= FOLDS
        kind: Any = GroupKFold if known else StratifiedKFold if self._balanced(y) else KFold
        cut = list(kind(FOLDS).split(x, y, groups)) if known else list(kind(FOLDS, shuffle=True, random_state=0).split(x, y))
        pipeline, grid = self._pipeline(min(COMPONENTS, x.shape[1], min(len(fit) for fit, _ in cut)))
        self.model = GridSearchCV(pipeline, grid, cv=cut, error_score="raise").fit(x, y).best_estimator_
        return self

    def predict(self, samples: Sequence[Sample]) -> np.ndarray:
        """(M,) classes or numbers, (M, L) where y had L columns."""
        return np.asarray(self._fitted.predict(hog_features(samples)))

    def predict_proba(self, samples: Sequence[Sample]) -> np.ndarray:
        """(M, C), classes in the order of `classes_`."""
        return np.asarray(self._fitted.predict_proba(hog_features(samples)))

    @property
    def classes_(self) -> np.ndarray:
        return np.asarray(self._fitted.classes_)

    @property
    def _fitted(self) -> Pipeline:
        if self.model is None:
            raise ValueError("fit the baseline first")
        return self.model

    def _balanced(self, y: np.ndarray) -> bool:
        return self.task == "classification" and int(np.unique(y, return_counts=True)[1].min()) >= FOLDS

    def _pipeline(self, components: int) -> tuple[Pipeline, dict[str, Any]]:
        from sklearn.decomposition import PCA
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.multiclass import OneVsRestClassifier
        from sklearn.pipeline import make_pipeline

        reduce = PCA(components, svd_solver="randomized", random_state=0)
        if self.task == "regression":
            return make_pipeline(reduce, Ridge()), {"ridge__alpha": PENALTIES}
        model = LogisticRegression(max_iter=300, tol=1e-3)
        if self.task == "multilabel":
            grid = {"onevsrestclassifier__estimator__C": STRENGTHS}
            return make_pipeline(reduce, OneVsRestClassifier(model)), grid
        return make_pipeline(reduce, model), {"logisticregression__C": STRENGTHS}
