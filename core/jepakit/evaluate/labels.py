"""What kind labels are of, and many of them as one array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from jepakit.errors import DataError

Task = Literal["classification", "regression", "multilabel", "dense"]
TASKS: tuple[str, ...] = get_args(Task)
IGNORE = -1
"""A dense label that says nothing: neither fitted nor judged."""


def task_of(spec: Mapping[str, Any]) -> Task | None:
    """The kind that a reader states for its labels; None when it leaves it to be inferred. DataError for a word that is none."""
    stated = spec.get("label_kind")
    if stated is not None and stated not in TASKS:
        raise DataError(f"the reader says label_kind '{stated}'; expected one of {', '.join(TASKS)}")
    return stated


def inferred(labels: np.ndarray) -> Task:
    """Whole numbers are classes, floating-point numbers are not. A table of whole numbers is many yes and no, else DataError."""
    if labels.ndim == 2:
        if labels.dtype.kind in "iu" and not np.isin(labels, (0, 1)).all():
            raise DataError('labels are rows of whole numbers other than 0 and 1; let the reader say label_kind "dense" or "regression".')
        return "multilabel" if labels.dtype.kind in "iub" else "regression"
    return "classification" if labels.dtype.kind in "iub" else "regression"


def label_array(labels: Sequence[Any], ids: Sequence[str]) -> np.ndarray | None:
    """Labels as (M,) or (M, L): int64 (all whole numbers or booleans of an integer type) or float64; None when no sample has any.

    Raises:
        DataError: if only some samples have one, they differ in length, or one is neither a class nor a number nor a row of them.
    """
    missing = [label is None for label in labels]
    if all(missing):
        return None
    if any(missing):
        first = ids[missing.index(True)]
        raise DataError(f"{sum(missing)} of {len(labels)} samples have no label, the first is '{first}'; evaluation needs all or none.")
    values = [np.asarray(label) for label in labels]
    for value, name in zip(values, ids):
        if value.ndim > 1 or value.dtype.kind not in "iufb":
            raise DataError(f"the label of sample '{name}' is no class and no number ({value.dtype}, shape {value.shape}).")
        if value.shape != values[0].shape:
            raise DataError(f"the label of sample '{name}' has shape {value.shape}, that of '{ids[0]}' {values[0].shape}; expected one.")
    array = np.stack(values)
    return array.astype(np.int64 if array.dtype.kind in "iub" else np.float64)
