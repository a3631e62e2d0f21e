"""One cloud as it is handed on: clean, float32, x y z first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jepakit.sdk import DataError
from jepakit_modalities.pointcloud.sampling import stride, thinned

MOST_POINTS = 1 << 17
"""Points of a cloud above which it is thinned on reading: a sweep of a 64-beam scanner is kept whole."""
FAR = 1e4
"""Coordinates beyond this lose millimetres in float32; such a cloud (a map projection) is moved to its own corner."""
XYZ = ("x", "y", "z")


@dataclass(frozen=True)
class Cloud:
    """points: (P, 3 + F) float32, finite, P >= 1. columns: a name each. origin: (3,) float64 that was taken off x y z."""

    points: np.ndarray
    columns: tuple[str, ...]
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)


def cleaned(values: np.ndarray, columns: Sequence[str], name: str) -> Cloud:
    """Drops points without a finite place (a scanner writes NaN where nothing came back), thins huge clouds, moves far ones near.

    A feature that is not finite becomes 0. DataError, naming the file, when no point is left.
    """
    if values.ndim != 2 or values.shape[1] < 3:
        raise DataError(f"{name}: an array of shape {values.shape}; expected (points, 3 or more): x, y, z and what else is known")
    if values.dtype.kind not in "iuf":
        raise DataError(f"{name}: points of {values.dtype}; expected numbers")
    rows = np.flatnonzero(np.isfinite(values[:, :3]).all(axis=1))
    if not len(rows):
        raise DataError(f"{name}: {len(values)} points, none with finite x, y and z; leave the file out")
    some = values[rows[:: stride(len(rows), MOST_POINTS)]]
    kept = some[thinned(some, MOST_POINTS)]
    origin = np.floor(kept[:, :3].astype(np.float64).min(axis=0)) if np.abs(kept[:, :3]).max() > FAR else np.zeros(3)
    near = np.concatenate([kept[:, :3] - origin, kept[:, 3:]], axis=1, dtype=np.float64).astype(np.float32)
    np.nan_to_num(near[:, 3:], copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return Cloud(near, tuple(columns), (float(origin[0]), float(origin[1]), float(origin[2])))
