"""Retrieval without any fitting: each test sample asks, training samples are ranked by cosine, and those of its class are right."""

from __future__ import annotations

import numpy as np

BLOCK = 256
"""Test samples ranked at a time; with 50,000 training samples a block of similarities holds 51 MB."""


def retrieved(train: np.ndarray, labels: np.ndarray, test: np.ndarray, truth: np.ndarray) -> dict[str, np.ndarray]:
    """recall_at_1, recall_at_5 and mean_average_precision of every test sample, each (M,) float64.

    Args:
        train (n, F), test (M, F): features. labels (n,), truth (M,): classes.

    Recall at k is 1 where one of the k nearest is of the class. A class that no training sample has counts 0.
    """
    gallery, parts = _unit(train), []
    for start in range(0, len(test), BLOCK):
        order = np.argsort(-_unit(test[start : start + BLOCK]) @ gallery.T, axis=1, kind="stable")
        parts.append(_measures(labels[order] == truth[start : start + BLOCK, None]))
    whole = np.concatenate(parts)
    return dict(zip(("recall_at_1", "recall_at_5", "mean_average_precision"), whole.T))


def _measures(right: np.ndarray) -> np.ndarray:
    hits = np.cumsum(right, axis=1)
    precision = (right * hits / np.arange(1, right.shape[1] + 1)).sum(1) / np.maximum(hits[:, -1], 1)
    return np.stack((right[:, 0], right[:, :5].any(1), precision), axis=1).astype(np.float64)


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
