"""Metrics of predictions and their 95 % intervals: bootstrap over test samples, and over draws of the labelled ones.

Every metric takes `counts` (W, M), one row a resample: how often each test sample is in it, and returns (W,). So one matrix product
scores all resamples, and two encoders scored with the same counts are compared sample by sample.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(counts (W, M), truth (M,), prediction (M,)) → (W,)."""


def accuracy(counts: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Share of right classes; of samples whose labels are all right where there are several."""
    right = truth == prediction
    return np.asarray(counts @ (right if right.ndim == 1 else right.all(1)) / counts.sum(1))


def balanced_accuracy(counts: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Mean over the classes that occur in truth of the share of each that is found."""
    true = (truth[:, None] == np.unique(truth)).astype(counts.dtype)
    found, total = counts @ (true * (truth == prediction)[:, None]), counts @ true
    return np.asarray(np.divide(found, total, out=np.zeros_like(total), where=total > 0).sum(1) / (total > 0).sum(1))


def macro_f1(counts: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Mean over the classes that occur (in truth or prediction), or over the labels, of 2 tp / (true + predicted).

    A resample that happens to lack a class in its truth is not judged by it: whole groups are drawn, and where a class is one group, a
    single wrong prediction of it would count as none of it found.
    """
    if truth.ndim == 1:
        classes = np.union1d(truth, prediction)
        truth, prediction = truth[:, None] == classes, prediction[:, None] == classes
    true, predicted = truth.astype(counts.dtype), prediction.astype(counts.dtype)
    both, found = counts @ (true * predicted), counts @ true
    total = found + counts @ predicted
    judged = np.where(truth.any(axis=0), found > 0, total > 0)
    share = np.divide(2 * both, total, out=np.zeros_like(total), where=judged).sum(1)
    return np.asarray(share / np.maximum(judged.sum(1), 1))


def mse(counts: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Mean squared error, over all numbers of a sample where there are several."""
    return np.asarray(counts @ _per_sample(np.square(truth - prediction)) / counts.sum(1))


def rmse(counts: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Root of the mean squared error, in the units of the label."""
    return np.asarray(np.sqrt(mse(counts, truth, prediction)))


def mae(counts: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Mean absolute error, in the units of the label."""
    return np.asarray(counts @ _per_sample(np.abs(truth - prediction)) / counts.sum(1))


def r2(counts: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Share of the label's variance that is explained, 0 where the label does not vary; its mean over several labels."""
    if truth.ndim == 2:
        return np.asarray(np.mean([r2(counts, truth[:, column], prediction[:, column]) for column in range(truth.shape[1])], axis=0))
    centred = truth - truth.mean()  # the variance of a resample from centred values keeps its digits
    variance = counts @ np.square(centred) - np.square(counts @ centred) / counts.sum(1)
    error = counts @ np.square(truth - prediction)
    return np.asarray(1 - np.divide(error, variance, out=np.ones_like(error), where=variance > 0))


def auroc(counts: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Area under the ROC curve, ties counted half. truth, prediction: (M, C) 0/1 and scores; mean over classes that can be scored."""
    return _over_columns(_auroc, counts, truth, prediction)


def auprc(counts: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Average precision, as scikit-learn defines it. truth, prediction: (M, C) 0/1 and scores; mean over classes that can be scored."""
    return _over_columns(_auprc, counts, truth, prediction)


def mean_of(counts: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Mean of what is already a value for every sample."""
    return np.asarray(counts @ prediction / counts.sum(1))


def _per_sample(values: np.ndarray) -> np.ndarray:
    return values if values.ndim == 1 else values.reshape(len(values), -1).mean(1)


def _over_columns(one: Metric, counts: np.ndarray, truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
    values = np.stack([one(counts, truth[:, column], scores[:, column]) for column in range(truth.shape[1])])
    known = np.isfinite(values)
    return np.divide(np.where(known, values, 0).sum(0), known.sum(0), out=np.full(len(counts), np.nan), where=known.any(0))


def _auroc(counts: np.ndarray, truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
    positive, negative = _by_score(counts, truth, scores)
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(1) * negative.sum(1)
    return np.divide((positive * below).sum(1), pairs, out=np.full(len(counts), np.nan), where=pairs > 0)


def _auprc(counts: np.ndarray, truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
    positive, negative = _by_score(counts, truth, -scores)
    found = np.cumsum(positive, axis=1)
    seen = found + np.cumsum(negative, axis=1)
    precision = np.divide(found, seen, out=np.zeros_like(found), where=seen > 0)
    total = positive.sum(1)
    return np.divide((positive * precision).sum(1), total, out=np.full(len(counts), np.nan), where=total > 0)


def _by_score(counts: np.ndarray, truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(W, distinct scores), ascending: how many positive and negative samples have each score."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf) > 0)
    drawn, positive = counts[:, order], truth[order].astype(bool)
    return np.add.reduceat(drawn * positive, starts, axis=1), np.add.reduceat(drawn * ~positive, starts, axis=1)


METRICS: dict[str, Metric] = {
    "accuracy": accuracy, "balanced_accuracy": balanced_accuracy, "macro_f1": macro_f1, "exact_match": accuracy, "auroc": auroc,
    "auprc": auprc, "rmse": rmse, "mse": mse, "mae": mae, "r2": r2, "recall_at_1": mean_of, "recall_at_5": mean_of,
    "mean_average_precision": mean_of,
}  # fmt: skip
OF_SCORES = frozenset({"auroc", "auprc"})
"""Metrics of scores (M, C) rather than of predictions."""
LOWER_IS_BETTER = frozenset({"mse", "rmse", "mae", "log_loss", "error"})
MOST_ENTRIES = 4_000_000
"""Entries of the part of a matrix of counts that a metric sees at once: ranking metrics make several copies of it."""
MOST_COUNTS, FEWEST_RESAMPLES = 40_000_000, 100
"""Entries of a matrix of counts (320 MB), and the resamples that are made even if it grows larger."""


def resample_counts(count: int, resamples: int, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """(resamples, count) float64: how often each sample was drawn with replacement. Keyed by (seed, count).

    With groups (count,), whole groups are drawn, so that samples that belong together are not taken for independent ones. Very many
    samples get fewer resamples, at least 100.
    """
    resamples = max(min(resamples, FEWEST_RESAMPLES), min(resamples, MOST_COUNTS // max(count, 1)))
    if groups is not None and len(np.unique(groups)) > 1:
        names, member = np.unique(groups, return_inverse=True)
        return resample_counts(len(names), resamples, seed)[:, member]
    rng = np.random.Generator(np.random.Philox(key=np.array([seed, count], dtype=np.uint64)))
    counts = np.empty((resamples, count))
    for row in counts:
        row[:] = np.bincount(rng.integers(count, size=count), minlength=count)
    return counts


def resampled(metric: Metric, truth: np.ndarray, predictions: np.ndarray, counts: np.ndarray, seed: int) -> np.ndarray:
    """(W,) values of the metric over resamples of the test samples and, if there are several, of the draws.

    predictions: (draws, M).
    """
    rows = max(1, MOST_ENTRIES // max(len(truth), 1))
    blocks = [counts[start : start + rows] for start in range(0, len(counts), rows)]
    by_draw = np.stack([np.concatenate([metric(block, truth, prediction) for block in blocks]) for prediction in predictions])
    if len(predictions) == 1:
        return np.asarray(by_draw[0])
    draws = resample_counts(len(predictions), len(counts), seed + 1)
    return np.asarray((by_draw.T * draws).sum(1) / len(predictions))


def across_folds(by_fold: np.ndarray, seed: int) -> np.ndarray:
    """(W,) means over folds (F, W) of bootstrap values, folds themselves resampled: both what is judged and where it was cut vary."""
    draws = resample_counts(len(by_fold), by_fold.shape[1], seed + 1)
    return np.asarray((by_fold.T * draws).sum(1) / len(by_fold))


def value(metric: Metric, truth: np.ndarray, predictions: np.ndarray) -> float:
    """The metric on the test samples as they are, mean over draws."""
    once = np.ones((1, len(truth)))
    return float(np.mean([metric(once, truth, prediction)[0] for prediction in predictions]))


def interval(samples: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of bootstrap values; resamples without a class that the metric needs don't count."""
    known = samples[np.isfinite(samples)]
    low, high = np.percentile(known, (2.5, 97.5)) if len(known) else (np.nan, np.nan)
    return float(low), float(high)
