"""A column as labels: class numbers with names, or numbers to be predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jepakit.sdk import DataError
from jepakit_modalities.table.columns import plain

MOST_CLASSES = 30
"""Whole numbers with more different values than this are to be predicted as numbers, unless `task` says otherwise."""


@dataclass(frozen=True)
class Labels:
    """values: an int or a float a row, None where the cell is empty. kind: "classification" or "regression"."""

    values: Sequence[int | float | None]
    kind: str
    class_names: tuple[str, ...] | None = None


def labels_of(column: pd.Series, task: str | None, where: str) -> Labels:
    """Names and yes/no are classes; so are whole numbers of at most 30 different values; all else are numbers. `task` overrules."""
    known = column.dropna()
    numeric = pd.api.types.is_numeric_dtype(known.dtype) and not pd.api.types.is_bool_dtype(known.dtype)
    whole = numeric and bool((known == known.round()).all()) and bool(np.isfinite(known.to_numpy(np.float64)).all())
    if task == "regression" and not numeric:
        raise DataError(f"{where} holds {known.dtype} values; regression needs numbers")
    if task == "classification" and numeric and not whole:
        raise DataError(f"{where} holds fractions; classes must be names or whole numbers: use task=regression")
    if task is None:
        task = "classification" if not numeric or (whole and known.nunique() <= MOST_CLASSES) else "regression"
    present = column.notna().to_numpy()
    if task == "regression":
        return Labels([float(value) if there else None for value, there in zip(column, present)], task)
    if whole and known.min() >= 0:
        return Labels([int(value) if there else None for value, there in zip(column, present)], task)
    written = [plain(value) if there else None for value, there in zip(column, present)]
    names = sorted({name for name in written if name is not None}, key=(lambda name: float(name)) if whole else None)
    places = {name: number for number, name in enumerate(names)}
    return Labels([None if name is None else places[name] for name in written], task, tuple(names))
