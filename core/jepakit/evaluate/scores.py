"""Metrics of predictions and their 95 % intervals: bootstrap over test samples, and over draws of the labelled ones.

Every metric takes `weights` (W, M), one row a resample, each row the share of every test sample, and returns (W,). So one matrix
product scores all resamples, and two encoders scored with the same weights are compared sample by sample.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(weights (W, M), truth (M,), prediction (M,)) → (W,)."""


def accuracy(weights: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Share of right classes."""
    return np.asarray(weights @ (truth == prediction).astype(weights.dtype))


def macro_f1(weights: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Mean over the classes that occur (in truth or prediction) of 2 tp / (true + predicted)."""
    classes = np.union1d(truth, prediction)
    true = (truth[:, None] == classes).astype(weights.dtype)
    predicted = (prediction[:, None] == classes).astype(weights.dtype)
    both, total = weights @ (true * predicted), weights @ true + weights @ predicted
    return np.asarray(np.divide(2 * both, total, out=np.zeros_like(total), where=total > 0).sum(1) / (total > 0).sum(1))


def rmse(weights: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Root of the mean squared error, in the units of the label."""
    return np.asarray(np.sqrt(weights @ np.square(truth - prediction)))


def r2(weights: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Share of the label's variance that is explained; 0 where the label does not vary."""
    centred = truth - truth.mean()  # the variance of a resample from centred values keeps its digits
    variance = weights @ np.square(centred) - np.square(weights @ centred)
    error = weights @ np.square(truth - prediction)
    return np.asarray(1 - np.divide(error, variance, out=np.ones_like(error), where=variance > 0))


METRICS: dict[str, Metric] = {"accuracy": accuracy, "macro_f1": macro_f1, "rmse": rmse, "r2": r2}


def resample_weights(count: int, resamples: int, seed: int) -> np.ndarray:
    """(resamples, count) float64: how often each sample was drawn with replacement, as a share. Keyed by (seed, count)."""
    rng = np.random.Generator(np.random.Philox(key=np.array([seed, count], dtype=np.uint64)))
    weights = np.empty((resamples, count))
    for row in weights:
        row[:] = np.bincount(rng.integers(count, size=count), minlength=count)
    return weights / count


def resampled(metric: Metric, truth: np.ndarray, predictions: np.ndarray, weights: np.ndarray, seed: int) -> np.ndarray:
    """(W,) values of the metric over resamples of the test samples and, if there are several, of the draws.

    predictions: (draws, M).
    """
    by_draw = np.stack([metric(weights, truth, prediction) for prediction in predictions])
    if len(predictions) == 1:
        return np.asarray(by_draw[0])
    return np.asarray((by_draw.T * resample_weights(len(predictions), len(weights), seed + 1)).sum(1))


def value(metric: Metric, truth: np.ndarray, predictions: np.ndarray) -> float:
    """The metric on the test samples as they are, mean over draws."""
    even = np.full((1, len(truth)), 1 / len(truth))
    return float(np.mean([metric(even, truth, prediction)[0] for prediction in predictions]))


def interval(samples: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of bootstrap values."""
    low, high = np.percentile(samples, (2.5, 97.5))
    return float(low), float(high)
