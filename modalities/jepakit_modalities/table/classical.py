"""Gradient-boosted trees on the columns themselves: what most people would use on a table, and hard to beat."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from jepakit.sdk import Sample
from jepakit_modalities.table.raw import NAMES

MOST_CODES = 250
"""Categories of a column that the trees can tell apart (scikit-learn: at most 255); rarer ones count as missing."""
TREES, RATE, HELD_OUT, PATIENCE = 2_000, 0.05, 0.1, 50
"""Trees at most, how much each adds, and when to stop: after 50 trees without gain on a tenth of the training rows."""


class BoostedTrees:
    """LightGBM, or scikit-learn's boosted trees where it is not installed, over lists of samples. The number of trees is chosen on a
    held-out tenth of the rows that it is fitted on; then a forest of that size is fitted to all of them."""

    def __init__(self, task: str) -> None:
        self.task = task

    def fit(self, samples: Sequence[Sample], y: np.ndarray) -> BoostedTrees:
        kinds = samples[0].meta["kinds"]
        self.names_ = [number for number, kind in enumerate(kinds) if kind in NAMES]
        cells = stacked(samples)
        self.codes_ = {number: most_frequent(cells[:, number]) for number in self.names_}
        x = self.coded(cells)
        self.model_ = fitted(self.task, x, np.asarray(y), self.names_)
        return self

    def predict(self, samples: Sequence[Sample]) -> np.ndarray:
        """(M,)"""
        return np.asarray(self.model_.predict(self.coded(stacked(samples))))

    def coded(self, cells: np.ndarray) -> np.ndarray:
        """Hashes of names → small numbers in the order of the fitted ones; NaN for a name that was not fitted."""
        coded = cells.copy()
        for number, known in self.codes_.items():
            place = np.searchsorted(known, cells[:, number]).clip(0, max(len(known) - 1, 0))
            hit = len(known) > 0 and known[place] == cells[:, number]
            coded[:, number] = np.where(hit, place, np.nan)
        return coded


class BoostedClasses:
    """The same for classes, with probabilities, which a forest for numbers has not."""

    def __init__(self) -> None:
        self.trees = BoostedTrees("classification")

    def fit(self, samples: Sequence[Sample], y: np.ndarray) -> BoostedClasses:
        self.trees.fit(samples, y)
        self.classes_ = self.trees.model_.classes_
        return self

    def predict(self, samples: Sequence[Sample]) -> np.ndarray:
        """(M,)"""
        return self.trees.predict(samples)

    def predict_proba(self, samples: Sequence[Sample]) -> np.ndarray:
        """(M, classes)"""
        return np.asarray(self.trees.model_.predict_proba(self.trees.coded(stacked(samples))))


def fitted(task: str, x: np.ndarray, y: np.ndarray, names: list[int]) -> Any:
    """A forest whose size is chosen on a held-out tenth."""
    rows = np.random.Generator(np.random.Philox(key=0)).permutation(len(x))
    held = rows[: max(1, int(len(x) * HELD_OUT))]
    rest = rows[len(held) :]
    if find_spec("lightgbm") is None:
        return scikit_trees(task, x, y, names)
    import lightgbm

    kind: Any = lightgbm.LGBMClassifier if task == "classification" else lightgbm.LGBMRegressor
    fixed: dict[str, Any] = {
        "learning_rate": RATE,
        "random_state": 0,
        "n_jobs": 1,
        "verbose": -1,
        "deterministic": True,
        "force_row_wise": True,
    }
    seen = np.isin(y[held], y[rest]) if task == "classification" else np.ones(len(held), dtype=bool)
    if not seen.any():
        return kind(n_estimators=100, **fixed).fit(x, y, categorical_feature=names)
    stop = lightgbm.early_stopping(PATIENCE, verbose=False)
    tried = kind(n_estimators=TREES, **fixed)
    tried.fit(x[rest], y[rest], eval_X=x[held][seen], eval_y=y[held][seen], categorical_feature=names, callbacks=[stop])
    return kind(n_estimators=max(1, int(tried.best_iteration_)), **fixed).fit(x, y, categorical_feature=names)


def scikit_trees(task: str, x: np.ndarray, y: np.ndarray, names: list[int]) -> Any:
    """Histogram-based boosted trees of scikit-learn, which stop by themselves."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if task == "classification" else HistGradientBoostingRegressor
    return kind(learning_rate=RATE, max_iter=TREES, early_stopping=True, random_state=0, categorical_features=names or None).fit(x, y)


def stacked(samples: Sequence[Sample]) -> np.ndarray:
    """(M, F)"""
    return np.stack([sample.streams["main"] for sample in samples])


def most_frequent(column: np.ndarray) -> np.ndarray:
    """Sorted values, the most frequent ones where there are too many."""
    values, counts = np.unique(column[~np.isnan(column)], return_counts=True)
    return np.sort(values[np.argsort(-counts, kind="stable")[:MOST_CODES]])
