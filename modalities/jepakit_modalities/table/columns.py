"""A data frame → one float64 matrix whose meaning does not depend on what else is in the file.

| kind | a cell |
|---|---|
| number | its value |
| boolean | 0 or 1 |
| date | seconds since 1970 in UTC |
| name | categories and texts: a similarity hash of 52 bits |
| empty | a column without any value; it fits to every kind |

A missing cell is NaN, never zero. Columns are in the order of their names, so that files with other orders are the same table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jepakit.sdk import DataError
from jepakit_modalities.table.names import numbers_of

KINDS = ("number", "boolean", "date", "name", "empty")
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?$")
LARGEST = 1e30
"""Infinite values become this: they are large, not missing."""
NUMBERS = ("integer", "floating", "decimal", "mixed-integer-float", "complex")
DATES = ("datetime", "datetime64", "date")


@dataclass(frozen=True)
class Columns:
    """Names, sorted, and the kind of each."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)


def encode(
    frame: pd.DataFrame, origin: str, *, as_names: tuple[str, ...] = (), as_numbers: tuple[str, ...] = ()
) -> tuple[Columns, np.ndarray]:
    """Columns and (rows, F) float64. Raises DataError for a column that holds no single values, or for two that differ under one name."""
    frame = without_copies(frame, origin)
    names = tuple(sorted(frame.columns))
    matrix = np.empty((len(frame), len(names)), dtype=np.float64)
    kinds = []
    for number, name in enumerate(names):
        kind = "name" if name in as_names else "number" if name in as_numbers else kind_of(frame[name], f"{origin}: column '{name}'")
        kinds.append("empty" if frame[name].isna().all() else kind)
        matrix[:, number] = cells(frame[name], kinds[-1], f"{origin}: column '{name}'")
    return Columns(names, tuple(kinds)), np.clip(matrix, -LARGEST, LARGEST)


def without_copies(frame: pd.DataFrame, origin: str) -> pd.DataFrame:
    """The frame with each name once. Columns of one name must be equal, otherwise nobody can say which is meant."""
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    again = frame.columns.duplicated()
    for name in set(frame.columns[again]):
        copies = frame.loc[:, frame.columns == name]
        if not all(copies.iloc[:, 0].equals(copies.iloc[:, other]) for other in range(1, copies.shape[1])):
            raise DataError(f"{origin}: {copies.shape[1]} columns are called '{name}' and differ; rename or remove all but one")
    return frame.loc[:, ~again]


def kind_of(column: pd.Series, where: str) -> str:
    """The kind of one column, from its type and, where that says nothing, from its values."""
    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return "name"
    if pd.api.types.is_bool_dtype(kind):
        return "boolean"
    if pd.api.types.is_datetime64_any_dtype(kind):
        return "date"
    if pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_timedelta64_dtype(kind):
        return "number"
    found = pd.api.types.infer_dtype(column, skipna=True)
    if found == "boolean":
        return "boolean"
    if found in NUMBERS:
        return "number"
    if found in DATES or (found == "string" and dated(column)):
        return "date"
    if found in ("string", "mixed-integer", "bytes", "empty", "categorical"):
        return "name"
    raise DataError(f"{where} holds {found} values; a table needs one number, name, date or yes/no a cell: drop it with ::drop=NAME")


def dated(column: pd.Series) -> bool:
    """Whether every text is a date as ISO 8601 writes it."""
    known = column.dropna()
    return len(known) > 0 and bool(known.map(lambda text: ISO_DATE.match(text) is not None).all())


def cells(column: pd.Series, kind: str, where: str) -> np.ndarray:
    """(rows,) float64 with NaN where a cell is missing."""
    try:
        if kind == "empty":
            return np.full(len(column), np.nan)
        if kind == "name":
            return named(column)
        if kind == "date":
            moments = pd.to_datetime(column, utc=True, format="ISO8601" if column.dtype.kind not in "mM" else None)
            return np.where(moments.isna(), np.nan, moments.dt.as_unit("us").astype("int64").to_numpy() / 1e6)
        if pd.api.types.is_timedelta64_dtype(column.dtype):
            return column.dt.total_seconds().to_numpy(dtype=np.float64, na_value=np.nan)
        if pd.api.types.is_complex_dtype(column.dtype):
            raise ValueError("complex numbers; store real and imaginary parts as two columns")
        return pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(f"{where} can't be read as {kind}: {' '.join(str(error).split())[:200]}") from error


def named(column: pd.Series) -> np.ndarray:
    """Every different value is hashed once."""
    codes, values = pd.factorize(column, use_na_sentinel=True)
    numbers = np.append(numbers_of(plain(value) for value in values), np.nan)
    return numbers[codes]


def plain(value: object) -> str:
    """How a category is written; whole floats as whole numbers, since a column with gaps is read as floats."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
