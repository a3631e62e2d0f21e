"""Rows of embeddings as columns of an Arrow table: what every output format is made from, and how the identity of a row is kept."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
import pyarrow as pa

from jepakit.embed.rows import SampleRows
from jepakit.errors import DataError

Label = Integral | Real | np.generic


def table_of(rows: Sequence[SampleRows], start: int, *, tokens: bool, several: bool = False) -> pa.Table:
    """One line a sample, or one a token. several: a label is an array, one number a class or a target.

    Columns: row (int64, number of the sample in the data), id, group (string, null where unknown), label (float64 or int64, null
    where there is none or it is an array; with `several` a fixed-size list of either), embedding (fixed-size list of float32); at
    token level also token (int32) and, where tokens have places known on the CPU, coords (fixed-size list of float32) and channel
    (int64).
    """
    counts = np.array([len(part.z) for part in rows])
    place = np.repeat(np.arange(len(rows)), counts)
    owners = [part for part in rows for _ in range(len(part.z))]
    columns: dict[str, pa.Array] = {
        "row": pa.array(start + place, pa.int64()),
        "id": pa.array([part.id for part in owners], pa.string()),
        "group": pa.array([part.group for part in owners], pa.string()),
        "label": (labels_column if several else label_column)([part.label for part in owners], [part.id for part in owners]),
    }
    if tokens:
        columns["token"] = pa.array(np.concatenate([np.arange(count) for count in counts]), pa.int32())
        columns |= places(rows)
    columns["embedding"] = matrix(np.concatenate([part.z for part in rows]))
    return pa.table(columns)


def places(rows: Sequence[SampleRows]) -> dict[str, pa.Array]:
    """Coordinates and channel of every token, where all of them are known."""
    coords = [part.coords for part in rows if part.coords is not None]
    channels = [part.channel for part in rows if part.channel is not None]
    if len(coords) < len(rows) or len(channels) < len(rows):
        return {}
    return {"coords": matrix(np.concatenate(coords)), "channel": pa.array(np.concatenate(channels), pa.int64())}


def matrix(values: np.ndarray) -> pa.Array:
    """(M, F) → a fixed-size list of float32 a row, without a copy."""
    flat = pa.array(np.ascontiguousarray(values, dtype=np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def labels_column(labels: Sequence[object], ids: Sequence[str]) -> pa.Array:
    """Arrays of one length as fixed-size lists of int64 or float64. DataError for a sample whose label is something else."""
    arrays = [np.asarray(label) for label in labels]
    for array, name in zip(arrays, ids):
        if array.shape != arrays[0].shape or array.ndim != 1 or array.dtype.kind not in "iufb":
            raise DataError(f"the label of sample '{name}' is {array.tolist()!r}, that of '{ids[0]}' has the shape {arrays[0].shape}")
    flat = np.concatenate(arrays)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.astype(np.int64 if flat.dtype.kind in "iub" else np.float64)), len(arrays[0]))


def label_column(labels: Sequence[object], ids: Sequence[str]) -> pa.Array:
    """Numbers as they are: whole ones int64, others float64, none null. Labels that are arrays have no place in a table: null."""
    plain = [label.item() if isinstance(label, np.generic | np.ndarray) and np.ndim(label) == 0 else label for label in labels]
    plain = [None if isinstance(label, np.ndarray | list | tuple) else label for label in plain]
    odd = [label for label in plain if label is not None and not isinstance(label, Real)]
    if odd:
        raise DataError(f"a label between samples '{ids[0]}' and '{ids[-1]}' is {odd[0]!r}; expected a number")
    whole = all(label is None or isinstance(label, Integral) for label in plain)
    return pa.array(plain, pa.int64() if whole else pa.float64())
