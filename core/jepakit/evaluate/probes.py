"""The probes: a linear one and nearest neighbours, for classes and for numbers. All that is chosen or fitted uses training samples.

A probe is fitted on standardised features, so that a recipe's feature scale does not decide the result. That also hides collapse
from it, which is why `rows` looks at spread and rank beside it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from jepakit.evaluate.settings import EvalSettings
from jepakit.evaluate.splits import few_labels, folds, is_classes, subsample

TOLERANCE = 1e-3
"""Where the solver of the linear probe stops: ten times sklearn's default, for speed. Its effect on the values was not measured."""


@dataclass(frozen=True)
class Probe:
    """One kind of probe. make: (option, rows it will be fitted on) → estimator. grid: options to choose from, few: option for a budget."""

    name: str
    make: Callable[[float, int], Any]
    grid: tuple[float, ...]
    few: Callable[[int], float]


@dataclass(frozen=True)
class Fitted:
    """What a probe says about the test samples: predictions (draws, M), the option it used, and whether its solver converged."""

    predictions: np.ndarray
    option: float
    converged: bool


def probes(labels: np.ndarray, settings: EvalSettings) -> tuple[Probe, ...]:
    """The linear probe first, then nearest neighbours by cosine; classifiers for classes, regressors for numbers."""

    def few(budget: int) -> float:
        return float(max((k for k in settings.neighbours if k <= budget), default=1))

    if is_classes(labels):
        return (
            Probe(
                "linear",
                lambda c, _: LogisticRegression(C=c, max_iter=settings.iterations, tol=TOLERANCE),
                settings.strengths,
                lambda _: settings.few_label_strength,
            ),
            Probe("knn", lambda k, n: KNeighborsClassifier(min(int(k), n), metric="cosine"), settings.neighbours, few),
        )
    return (
        Probe("linear", lambda a, _: Ridge(a), settings.ridge, lambda _: settings.ridge[0]),
        Probe("knn", lambda k, n: KNeighborsRegressor(min(int(k), n), metric="cosine"), settings.neighbours, few),
    )


def preparation(train: np.ndarray, settings: EvalSettings, seed: int) -> Pipeline:
    """Standardise and, above `max_width` features, reduce to principal components; fitted on training rows (n, F) alone."""
    rows = train[subsample(len(train), settings.max_fit_rows, seed)].astype(np.float32)
    steps: list[tuple[str, Any]] = [("scale", StandardScaler())]
    if train.shape[1] > settings.max_width:
        count = min(settings.components, len(rows) - 1, rows.shape[1])
        steps.append(("reduce", PCA(count, svd_solver="randomized", random_state=seed)))
    with np.errstate(invalid="ignore", divide="ignore"):  # constant features have no variance to share out
        return Pipeline(steps).fit(rows)


def prepared(fitted: Pipeline, features: np.ndarray, block: int = 1024) -> np.ndarray:
    """`features` (M, F) through a preparation, float32, a block of rows at a time so that float16 stays small."""
    parts = [fitted.transform(features[start : start + block].astype(np.float32)) for start in range(0, len(features), block)]
    return np.concatenate(parts).astype(np.float32)


def cross_validated(
    probe: Probe, option: float, x: np.ndarray, labels: np.ndarray, *, groups: np.ndarray | None, settings: EvalSettings, seed: int
) -> float:
    """Mean score (accuracy, or R²) over folds of at most `max_fit_rows` training rows; NaN when there are too few to split."""
    rows = subsample(len(x), settings.max_fit_rows, seed)
    x, labels, groups = x[rows], labels[rows], None if groups is None else groups[rows]
    scores = []
    for fit, judge in folds(labels, groups, settings.folds, seed):
        estimator = probe.make(option, len(fit))
        _fit(estimator, x[fit], labels[fit])
        scores.append(float(estimator.score(x[judge], labels[judge])))
    return float(np.mean(scores)) if scores else float("nan")


def choose(probe: Probe, x: np.ndarray, labels: np.ndarray, *, groups: np.ndarray | None, settings: EvalSettings, seed: int) -> float:
    """The option of best cross-validated score, the first of equals; the middle one when training rows are too few to split."""
    scores = [cross_validated(probe, option, x, labels, groups=groups, settings=settings, seed=seed) for option in probe.grid]
    return probe.grid[len(probe.grid) // 2] if np.isnan(scores).any() else probe.grid[int(np.argmax(scores))]


def with_all_labels(
    probe: Probe, x: np.ndarray, labels: np.ndarray, test: np.ndarray, *, groups: np.ndarray | None, settings: EvalSettings, seed: int
) -> Fitted:
    """Choose the option on training rows x (n, F), fit once on all of them, predict the test rows."""
    option = choose(probe, x, labels, groups=groups, settings=settings, seed=seed)
    estimator = probe.make(option, len(x))
    converged = _fit(estimator, x, labels)
    return Fitted(np.asarray(estimator.predict(test))[None], option, converged)


def with_few_labels(
    probe: Probe, x: np.ndarray, labels: np.ndarray, test: np.ndarray, *, budget: int, settings: EvalSettings, seed: int
) -> Fitted:
    """`draws` fits on `budget` rows a class, each drawn anew; the option is fixed, since so few labels can't choose one."""
    option, predictions, converged = probe.few(budget), [], True
    for draw in range(settings.draws):
        rows = few_labels(labels, budget, draw, seed)
        estimator = probe.make(option, len(rows))
        converged &= _fit(estimator, x[rows], labels[rows])
        predictions.append(np.asarray(estimator.predict(test)))
    return Fitted(np.stack(predictions), option, converged)


def _fit(estimator: Any, x: np.ndarray, labels: np.ndarray) -> bool:
    """Fit; False when an iterative solver ran out of steps."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(x, labels)
    taken = getattr(estimator, "n_iter_", None)
    return taken is None or int(np.max(taken)) < estimator.max_iter
