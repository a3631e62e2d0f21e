"""The floor plan of a set of tokens: what is left of their positions when some axes are looked through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jepakit.contracts.carriers import Layout
from jepakit.errors import ContractError
from jepakit.maskers.plans import axis_number
from jepakit.maskers.ranges import count_true


@dataclass(frozen=True)
class Floor:
    """M columns of tokens, each running along the axes that are looked through.

    coords: (M, K') of the axes that stay. valid: (M,) whether any token of the column is. column: (N,) int64, the column of each token.
    grid: sizes of the axes that stay, raster order, or None.
    """

    coords: np.ndarray
    valid: np.ndarray
    column: np.ndarray
    grid: tuple[int, ...] | None


def floor_plan(layout: Layout, through: Sequence[str | int]) -> Floor:
    """Raises ContractError for an unknown axis, when no axis stays, or when fewer than two columns hold a valid token."""
    gone = {axis_number(layout, axis) for axis in through}
    stay = [axis for axis in range(layout.coords.shape[1]) if axis not in gone]
    if not stay:
        raise ContractError(f"no axis of {layout.axes} is left when {tuple(through)} are looked through: name fewer.")
    if layout.grid and len(layout.grid) == layout.coords.shape[1]:
        grid = tuple(layout.grid[axis] for axis in stay)
        numbers = np.arange(int(np.prod(grid))).reshape([1 if axis in gone else n for axis, n in enumerate(layout.grid)])
        column = np.broadcast_to(numbers, layout.grid).reshape(-1)
        coords = np.zeros((int(column.max()) + 1, len(stay)))  # a grid is masked by its cells, not by its coordinates
        return _floor(coords, column, layout, grid)
    coords, column = np.unique(layout.coords[:, stay], axis=0, return_inverse=True)
    return _floor(coords, column.reshape(-1), layout, None)


def _floor(coords: np.ndarray, column: np.ndarray, layout: Layout, grid: tuple[int, ...] | None) -> Floor:
    valid = np.zeros(len(coords), dtype=bool)
    valid[column[layout.valid]] = True
    if count_true(valid) < 2:
        raise ContractError("all valid tokens lie in one column, so a tube would hide everything: look through other axes.")
    return Floor(coords, valid, column, grid)
