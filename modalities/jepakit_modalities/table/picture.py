"""A row as coloured cells: blue is low, red is high, a colour of its own for each category, grey is missing."""

from __future__ import annotations

import numpy as np

from jepakit.sdk import MaskPlan
from jepakit_modalities.table.raw import NAMES, RawColumns

CELL, LINE = 16, 1
"""Side of a cell and of the line around it, in pixels."""
HIDDEN = 0.25
"""Brightness of what the context encoder does not see."""
LOW, MIDDLE, HIGH, MISSING = (
    np.array(colour, dtype=np.float64) for colour in ((40, 90, 200), (240, 240, 240), (200, 50, 40), (120, 120, 120))
)
ASKED = (240, 180, 50)


def cell_picture(row: np.ndarray, scales: RawColumns) -> np.ndarray:
    """(H, W, 3) uint8: a square of cells in the order of column names."""
    return drawn(colours(row, scales))


def masked_picture(row: np.ndarray, scales: RawColumns, tokens: int, plan: MaskPlan) -> np.ndarray:
    """The same with hidden cells dimmed and asked ones outlined. tokens: of the row; each stands for neighbouring columns."""
    each = -(-len(row) // tokens)
    visible, asked = (np.zeros(tokens, dtype=bool) for _ in range(2))
    visible[plan.contexts[0].positions.idx] = True
    for query in plan.queries:
        if query.context == 0:
            asked[query.positions.idx] = True
    spread = [np.repeat(flags, each)[: len(row)] for flags in (visible, asked)]
    bright = np.where(spread[0], 1.0, HIDDEN)[:, None]
    return drawn(colours(row, scales) * bright, spread[1])


def colours(row: np.ndarray, scales: RawColumns) -> np.ndarray:
    """(F, 3) in 0 to 255."""
    height = np.tanh(np.nan_to_num(scales.scaled(row)) / 2)[:, None]
    shade = np.where(height < 0, MIDDLE + height * (MIDDLE - LOW), MIDDLE + height * (HIGH - MIDDLE))
    named = np.array([kind in NAMES for kind in scales.kinds])[:, None]
    number = np.nan_to_num(row)[:, None]
    tint = 60 + np.floor(number / np.array([1.0, 97.0, 9409.0])) % 97 * 2
    return np.where(np.isnan(row)[:, None], MISSING, np.where(named, tint, shade))


def drawn(cells: np.ndarray, outlined: np.ndarray | None = None) -> np.ndarray:
    """(F, 3) → a square picture, white where cells end."""
    side = int(np.ceil(np.sqrt(len(cells))))
    rows = -(-len(cells) // side)
    canvas = np.full((rows * CELL, side * CELL, 3), 255, dtype=np.uint8)
    for number, colour in enumerate(cells):
        top, left = number // side * CELL, number % side * CELL
        if outlined is not None and outlined[number]:
            canvas[top : top + CELL, left : left + CELL] = ASKED
        inner = 2 * LINE if outlined is not None and outlined[number] else LINE
        canvas[top + inner : top + CELL - inner, left + inner : left + CELL - inner] = colour.astype(np.uint8)
    return canvas
