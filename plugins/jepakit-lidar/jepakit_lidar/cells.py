"""The lattice of square cells seen from above, and what the points of a cell have in common."""

from __future__ import annotations

import numpy as np

HALF = 1 << 20
"""Cells either way of the sensor that a key can name: 800 km of cells of 0.8 m."""


def cells_of(points: np.ndarray, cell: float) -> np.ndarray:
    """(P, 2) int64 numbers of the cells that hold x and y of points (P, 2 or more), float32."""
    return np.floor(points[:, :2].astype(np.float32) / np.float32(cell)).astype(np.int64)


def keys_of(cells: np.ndarray) -> np.ndarray:
    """(P,) int64: one number a cell, growing with x, then y."""
    return (cells[:, 0] + HALF) * (2 * HALF) + cells[:, 1] + HALF


def cells_at(keys: np.ndarray) -> np.ndarray:
    """(P, 2) int64, the inverse of `keys_of`."""
    return np.stack([keys // (2 * HALF) - HALF, keys % (2 * HALF) - HALF], axis=1)


def centres(keys: np.ndarray, cell: float) -> np.ndarray:
    """(P, 2) float32 centres of cells, in metres."""
    return ((cells_at(keys) + 0.5) * cell).astype(np.float32)


def lattice(square: tuple[float, float, float], cell: float) -> np.ndarray:
    """Keys of all cells that lie wholly in a square (x, y, side)."""
    left, low, side = square
    first = np.ceil(np.array([left, low]) / cell - 1e-6).astype(np.int64)
    last = np.floor((np.array([left, low]) + side) / cell + 1e-6).astype(np.int64)
    x, y = np.meshgrid(np.arange(first[0], last[0]), np.arange(first[1], last[1]), indexing="ij")
    return keys_of(np.stack([x.ravel(), y.ravel()], axis=1))
