"""The features one would give to a linear model: scaled numbers, a flag for what is missing, one column a category."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_CATEGORIES = 64
"""Categories of a column that get a feature; rarer ones have none."""
NAMES = ("name", "boolean")


@dataclass(frozen=True)
class RawColumns:
    """Fitted on one table. mean, rate: (F,) of the numbers, rate 0 for a constant column. categories: sorted hashes, one array a column."""

    kinds: tuple[str, ...]
    mean: np.ndarray
    rate: np.ndarray
    categories: tuple[np.ndarray, ...]

    def scaled(self, cells: np.ndarray) -> np.ndarray:
        """(..., F) standardised, NaN where missing."""
        return np.clip((cells - self.mean) * self.rate, -10, 10)

    def features(self, row: np.ndarray) -> np.ndarray:
        """(F',) float32 of one row (F,)."""
        parts = []
        scaled = self.scaled(row)
        for number, kind in enumerate(self.kinds):
            missing = np.isnan(row[number])
            if kind in NAMES:
                parts.append(self.categories[number] == row[number])
            else:
                parts.append(np.array([0.0 if missing else scaled[number]]))
            parts.append(np.array([missing]))
        return np.concatenate(parts).astype(np.float32)


def fit_raw(kinds: tuple[str, ...], cells: np.ndarray) -> RawColumns:
    """From the cells (rows, F) of a training table."""
    known = ~np.isnan(cells)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, cells, 0).sum(0) / count
    spread = np.sqrt(np.square(np.where(known, cells - mean, 0)).sum(0) / count)
    rate = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 1e-12 * (1 + np.abs(mean)))
    categories = [frequent(cells[:, number]) if kind in NAMES else np.zeros(0) for number, kind in enumerate(kinds)]
    return RawColumns(kinds, mean, rate, tuple(categories))


def frequent(column: np.ndarray) -> np.ndarray:
    """The most frequent values, sorted."""
    values, counts = np.unique(column[~np.isnan(column)], return_counts=True)
    return np.sort(values[np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]])
