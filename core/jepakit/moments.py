"""Constants that a tokenizer takes from training samples: mean and spread of every channel."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def channel_moments(arrays: Iterable[np.ndarray], channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (C,) float64 of each channel over the finite values of all arrays (C, *sizes), in one pass.

    Sizes may differ from array to array. A channel without any finite value has mean and spread 0; the caller sets the least spread.
    """
    total, squares, count = (np.zeros(channels) for _ in range(3))
    for array in arrays:
        values = array.reshape(channels, -1).astype(np.float64)
        known = np.isfinite(values)
        values = np.where(known, values, 0.0)
        total += values.sum(axis=1)
        squares += np.square(values).sum(axis=1)
        count += known.sum(axis=1)
    mean = total / np.maximum(count, 1)
    return mean, np.sqrt(np.maximum(squares / np.maximum(count, 1) - mean**2, 0.0))
