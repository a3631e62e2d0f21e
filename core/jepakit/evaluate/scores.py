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
    """Share of right classes."""
    return np.asarray(counts @ (truth == prediction) / counts.sum(1))


def macro_f1(counts: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Mean over the classes that occur (in truth or prediction) of 2 tp / (true + predicted)."""
    classes = np.union1d(truth, prediction)
    true = (truth[:, None] == classes).astype(counts.dtype)
    predicted = (prediction[:, None] == classes).astype(counts.dtype)
    both, total = counts @ (true * predicted), counts @ true + counts @ predicted
    return np.asarray(np.divide(2 * both, total, out=np.zeros_like(total), where=total > 0).sum(1) / (total > 0).sum(1))


def rmse(counts: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Root of the mean squared error, in the units of the label."""
    return np.asarray(np.sqrt(counts @ np.square(truth - prediction) / counts.sum(1)))


def r2(counts: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Share of the label's variance that is explained; 0 where the label does not vary."""
    centred = truth - truth.mean()  # the variance of a resample from centred values keeps its digits
    variance = counts @ np.square(centred) - np.square(counts @ centred) / counts.sum(1)
    error = counts @ np.square(truth - prediction)
    return np.asarray(1 - np.divide(error, variance, out=np.ones_like(error), where=variance > 0))


METRICS: dict[str, Metric] = {"accuracy": accuracy, "macro_f1": macro_f1, "rmse": rmse, "r2": r2}


def resample_counts(count: int, resamples: int, seed: int) -> np.ndarray:
    """(resamples, count) float64: how often each sample was drawn with replacement. Keyed by (seed, count)."""
    rng = np.random.Generator(np.random.Philox(key=np.array([seed, count], dtype=np.uint64)))
    counts = np.empty((resamples, count))
    for row in counts:
        row[:] = np.bincount(rng.integers(count, size=count), minlength=count)
    return counts


def resampled(metric: Metric, truth: np.ndarray, predictions: np.ndarray, counts: np.ndarray, seed: int) -> np.ndarray:
    """(W,) values of the metric over resamples of the test samples and, if there are several, of the draws.

    predictions: (draws, M).
    """
    by_draw = np.stack([metric(counts, truth, prediction) for prediction in predictions])
    if len(predictions) == 1:
        return np.asarray(by_draw[0])
    draws = resample_counts(len(predictions), len(counts), seed + 1)
    return np.asarray((by_draw.T * draws).sum(1) / len(predictions))


def value(metric: Metric, truth: np.ndarray, predictions: np.ndarray) -> float:
    """The metric on the test samples as they are, mean over draws."""
    once = np.ones((1, len(truth)))
    return float(np.mean([metric(once, truth, prediction)[0] for prediction in predictions]))


def interval(samples: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of bootstrap values."""
    low, high = np.percentile(samples, (2.5, 97.5))
    return float(low), float(high)
