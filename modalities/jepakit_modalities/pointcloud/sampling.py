"""Fewer points that stand for many, and the neighbours of a point.

The fastest library of each kind at each size, measured by benchmarks/points.py: fpsample's plain loop up to 4,096 points and its bucket
search above for farthest points, scipy's k-d tree for neighbours.
"""

from __future__ import annotations

import numpy as np

PLAIN_UP_TO = 4096
"""Points above which the bucket search of fpsample is faster than its plain loop (4,096: .8 against 1.4 ms, benchmarks/points.py)."""
LINES = 7
"""Height of its tree: leaves of 1/128 of the points, what its authors advise for large clouds."""


def farthest(points: np.ndarray, count: int, start: int) -> np.ndarray:
    """Farthest-point sampling: each chosen point is the one farthest from all chosen before.

    Args:
        points: (P, 3) float32, finite. count: at most P are chosen. start: number of the first one. The bucket search, above
            4,096 points, orders points anew and starts elsewhere, always at the same place for the same points.

    Returns:
        (min(count, P),) int64 numbers of points, none twice.
    """
    points = np.ascontiguousarray(points, dtype=np.float32)
    if len(points) <= count:
        return np.arange(len(points), dtype=np.int64)
    import fpsample

    if len(points) <= PLAIN_UP_TO:
        return np.asarray(fpsample.fps_sampling(points, count, start_idx=start)).astype(np.int64)
    return np.asarray(fpsample.bucket_fps_kdline_sampling(points, count, h=LINES, start_idx=start)).astype(np.int64)


def neighbours(points: np.ndarray, centres: np.ndarray, count: int) -> np.ndarray:
    """(n, count) int64: the nearest points of each centre, nearest first; the nearest again and again where there are fewer points."""
    from scipy.spatial import cKDTree

    have = min(count, len(points))
    # a tree that is not balanced is built several times faster, and asked only once
    tree = cKDTree(points, balanced_tree=False, compact_nodes=False)
    found = tree.query(centres, k=have)[1].reshape(len(centres), have)
    return np.concatenate([found, np.repeat(found[:, :1], count - have, axis=1)], axis=1).astype(np.int64)


def voxel_subset(points: np.ndarray, size: float) -> np.ndarray:
    """(n,) int64, sorted: the first point in each cube of side `size`. points (P, 3) finite."""
    cells = np.floor((points - points.min(axis=0)) / size).astype(np.int64)
    spans = cells.max(axis=0) + 1
    if float(spans[0]) * float(spans[1]) * float(spans[2]) > 2**62:
        raise ValueError(f"cubes of {size:g} are too small for a cloud of extent {np.ptp(points, axis=0)}")
    keys = (cells[:, 0] * spans[1] + cells[:, 1]) * spans[2] + cells[:, 2]
    return np.sort(np.unique(keys, return_index=True)[1])


def stride(count: int, most: int) -> int:
    """Every how many-th of `count` points is looked at when `most` are to be kept: four to eight times as many."""
    return max(1, count // (4 * most))


def thinned(points: np.ndarray, most: int) -> np.ndarray:
    """(n,) int64, sorted: at most `most` points that keep the shape: every n-th up to four times as many, then one a cube.

    Memory is bounded by the cloud itself and its first thinning, whatever the number of points.
    """
    if len(points) <= most:
        return np.arange(len(points), dtype=np.int64)
    rows = np.arange(0, len(points), stride(len(points), most))
    some = points[rows, :3].astype(np.float64)
    size = max(float(np.ptp(some, axis=0).max()) / most**0.5, 1e-9)
    while len(keep := voxel_subset(some, size)) > most:
        size *= 1.2
    return rows[keep]
