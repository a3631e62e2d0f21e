"""Fitting probes: what is prepared, chosen and fitted, all on training samples. The probes themselves are in `estimators`.

A probe is fitted on standardised features, so that a recipe's feature scale does not decide the result. That also hides collapse
from it, which is why `rows` looks at spread and rank beside it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import has_fit_parameter

from jepakit.errors import ConfigError, ContractError, unknown_name
from jepakit.evaluate.estimators import FACTORIES, Factory
from jepakit.evaluate.labels import Task, inferred
from jepakit.evaluate.probe import Probe
from jepakit.evaluate.scores import LOWER_IS_BETTER, METRICS, OF_SCORES
from jepakit.evaluate.scores import value as measured
from jepakit.evaluate.settings import EvalSettings
from jepakit.evaluate.splits import few_labels, folds, subsample

ELSEWHERE = ("retrieval", "finetune")
"""Names in `evaluate.probes` that are no estimators over features."""
MANY_CLASSES = "The number of unique classes is greater than 50%"
"""How scikit-learn (1.9) asks at every fit whether labels of few samples are numbers. Here the task is known, and few labels are usual."""


@dataclass(frozen=True)
class Fitted:
    """What a probe says about the test samples.

    predictions: (draws, M) or (draws, M, L). option: the one it used. converged: whether its solver did. scores: (draws, M, C) of the
    classes in `classes`, or None.
    """

    predictions: np.ndarray
    option: float
    converged: bool
    scores: np.ndarray | None = None
    classes: np.ndarray | None = None


def probes(
    labels: np.ndarray, settings: EvalSettings, *, task: Task | None = None, seed: int = 0, others: Mapping[str, Factory] | None = None
) -> tuple[Probe, ...]:
    """The probes that the settings name and that know the task, in that order. others: factories of plugins, by name.

    Raises:
        ConfigError: for a name that nobody knows. ContractError: for dense labels, whose tokens must have become samples (`dense`).
    """
    if task == "dense":
        raise ContractError("probes know no dense labels; make a sample of every token first (jepakit.evaluate.dense).")
    known = {**FACTORIES, **(others or {})}
    made = []
    for name in settings.probes:
        if name not in known and name not in ELSEWHERE:
            raise ConfigError(f"evaluate.probes: {unknown_name('probe', name, (*known, *ELSEWHERE))}")
        if name in known:
            made.append(known[name](task or inferred(labels), settings, seed))
    return tuple(probe for probe in made if probe is not None)


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
    """Mean score over folds of at most `max_fit_rows` training rows; NaN when there are too few to split.

    The score is the first of the metrics asked for; the estimator's own (accuracy, or R²) where that is about no single prediction.
    """
    rows = subsample(len(x), settings.max_fit_rows, seed)
    x, labels, groups = x[rows], labels[rows], None if groups is None else groups[rows]
    scores = []
    for fit, judge in folds(labels, groups, settings.folds, seed):
        estimator = probe.make(option, len(fit))
        _fit(estimator, x[fit], labels[fit], settings)
        scores.append(_score(estimator, x[judge], labels[judge], settings))
    return float(np.mean(scores)) if scores else float("nan")


def _score(estimator: Any, x: np.ndarray, labels: np.ndarray, settings: EvalSettings) -> float:
    """The first metric of one fold, the higher the better."""
    name = settings.metrics[0] if settings.metrics else "accuracy"
    if name in OF_SCORES:
        said = fitted_says(estimator, x)
        found = np.nan if said.scores is None else measured(METRICS[name], *ranked(labels, said))
        return float(found) if np.isfinite(found) else float(estimator.score(x, labels))
    if name in ("accuracy", "r2") or name.startswith(("recall", "mean_average")):
        return float(estimator.score(x, labels))
    return (-1 if name in LOWER_IS_BETTER else 1) * measured(METRICS[name], labels, np.asarray(estimator.predict(x))[None])


def choose(probe: Probe, x: np.ndarray, labels: np.ndarray, *, groups: np.ndarray | None, settings: EvalSettings, seed: int) -> float:
    """The option of best cross-validated score, the first of equals; the middle one when training rows are too few to split."""
    if len(probe.grid) == 1:
        return probe.grid[0]
    scores: list[float] = []
    for option in probe.grid:
        scores.append(cross_validated(probe, option, x, labels, groups=groups, settings=settings, seed=seed))
        if probe.climbs and len(scores) > 1 and scores[-1] < scores[-2]:
            break
    return probe.grid[len(probe.grid) // 2] if np.isnan(scores).any() else probe.grid[int(np.argmax(scores))]


def with_all_labels(
    probe: Probe, x: np.ndarray, labels: np.ndarray, test: np.ndarray, *, groups: np.ndarray | None, settings: EvalSettings, seed: int
) -> Fitted:
    """Choose the option on training rows x (n, F), fit once on all of them, predict the test rows."""
    option = choose(probe, x, labels, groups=groups, settings=settings, seed=seed)
    estimator = probe.make(option, len(x))
    converged = _fit(estimator, x, labels, settings)
    return fitted_says(estimator, test, option=option, converged=converged, scores=wants_scores(settings))


def with_few_labels(
    probe: Probe, x: np.ndarray, labels: np.ndarray, test: np.ndarray, *, budget: int, settings: EvalSettings, seed: int
) -> Fitted:
    """`draws` fits on `budget` rows a class, each drawn anew; the option is fixed, since so few labels can't choose one."""
    option, said = probe.few(budget), []
    first_of_scores = bool(OF_SCORES.intersection(settings.metrics[:1]))
    for draw in range(settings.draws):
        rows = few_labels(labels, budget, draw, seed)
        estimator = probe.make(option, len(rows))
        converged = _fit(estimator, x[rows], labels[rows], settings)
        said.append(fitted_says(estimator, test, option=option, converged=converged, scores=first_of_scores))
    scores = [one.scores for one in said if one.scores is not None]
    return Fitted(
        np.concatenate([one.predictions for one in said]),
        option,
        all(one.converged for one in said),
        np.concatenate(scores) if len(scores) == len(said) else None,
        said[0].classes,
    )


def wants_scores(settings: EvalSettings) -> bool:
    """Whether some metric ranks samples; asking an estimator for scores costs as much as asking it for predictions."""
    return bool(OF_SCORES.intersection(settings.metrics))


def fitted_says(estimator: Any, test: Any, *, option: float = 0.0, converged: bool = True, scores: bool = True) -> Fitted:
    """Predictions and, where asked for and the estimator can order samples, scores: probabilities, else the decision function."""
    predictions = np.asarray(estimator.predict(test))
    kind = next((name for name in ("predict_proba", "decision_function") if hasattr(estimator, name)), None)
    if kind is None or not scores:
        return Fitted(predictions[None], option, converged)
    found = getattr(estimator, kind)(test)
    if isinstance(found, list):  # nearest neighbours of several labels: one (M, 2) a label, (M, 1) where it never varies
        found = np.stack([part[:, 1] if part.shape[1] > 1 else np.zeros(len(part)) for part in found], axis=1)
    ranks = np.asarray(found, dtype=np.float64)
    ranks = np.stack((-ranks, ranks), axis=1) if ranks.ndim == 1 else ranks
    classes = np.asarray(getattr(estimator, "classes_", np.arange(ranks.shape[1])))
    return Fitted(predictions[None], option, converged, ranks[None], classes)


def ranked(truth: np.ndarray, fitted: Fitted) -> tuple[np.ndarray, np.ndarray]:
    """Truth (M, C) of 0 and 1 and scores (draws, M, C); of two classes the second one alone."""
    assert fitted.scores is not None
    assert fitted.classes is not None
    if truth.ndim == 2:
        return truth, fitted.scores
    onehot = (truth[:, None] == fitted.classes).astype(np.int64)
    return (onehot[:, 1:], fitted.scores[..., 1:]) if len(fitted.classes) == 2 else (onehot, fitted.scores)


def _fit(estimator: Any, x: np.ndarray, labels: np.ndarray, settings: EvalSettings) -> bool:
    """Fit; False when an iterative solver ran out of steps."""
    options = {}
    if settings.weighting != "none" and labels.dtype.kind == "i" and labels.ndim == 1 and has_fit_parameter(estimator, "sample_weight"):
        options["sample_weight"] = class_weights(labels, settings.weighting)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(x, labels, **options)
    for warning in caught:
        if not issubclass(warning.category, ConvergenceWarning) and not str(warning.message).startswith(MANY_CLASSES):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)


def class_weights(labels: np.ndarray, weighting: str) -> np.ndarray:
    """(M,) weights of mean one over classes or samples: the inverse of how frequent the sample's class is, or the root of it."""
    _, member, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights = (len(labels) / (len(counts) * counts))[member]
    return np.asarray(weights if weighting == "balanced" else np.sqrt(weights))
