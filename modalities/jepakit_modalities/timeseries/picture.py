"""Series as pictures for the report: one band a channel, what the context does not see dimmed."""

from __future__ import annotations

import numpy as np

from jepakit.sdk import Layout, MaskPlan, Sample
from jepakit_modalities.timeseries.recordings import stretched

WIDTH, BAND, MOST = 256, 40, 12
"""Pixels of a picture's width and of a channel's height; channels that are drawn."""
INK, PAPER, SEEN, ASKED = (30, 60, 120), (255, 255, 255), (255, 255, 255), (250, 214, 190)


def drawn(sample: Sample) -> np.ndarray:
    """(BAND * channels, 256, 3) uint8; each channel fills its band, missing steps are left out."""
    series = sample.streams["main"][:MOST]
    page = np.full((BAND * len(series), WIDTH, 3), PAPER, dtype=np.uint8)
    for number, row in enumerate(stretched(series, WIDTH)):
        trace(page[number * BAND : (number + 1) * BAND], row)
    return page


def trace(band: np.ndarray, row: np.ndarray) -> None:
    """Draws one channel into its band, in place."""
    known = np.isfinite(row)
    if not known.any():
        return
    low, high = float(row[known].min()), float(row[known].max())
    share = (np.nan_to_num(row, nan=low) - low) / (high - low or 1.0)
    place = ((1 - share) * (BAND - 3)).astype(int) + 1
    for column in np.flatnonzero(known):
        before = place[column - 1] if column and known[column - 1] else place[column]
        top, bottom = sorted((before, place[column]))
        band[top : bottom + 1, column] = INK


def masked(sample: Sample, layout: Layout, plan: MaskPlan) -> np.ndarray | None:
    """The first context on white, what is asked of it on colour, the rest grey; None without a grid."""
    if layout.grid is None:
        return None
    page = drawn(sample)
    ground = np.full((len(layout), 3), 225, dtype=np.uint8)
    for query in plan.queries:
        if query.context == 0:
            ground[query.positions.idx] = ASKED
    ground[plan.contexts[0].positions.idx] = SEEN
    cells = ground.reshape(layout.grid[0] if len(layout.grid) > 1 else 1, layout.grid[-1], 3)[:MOST]
    rows = np.minimum(np.arange(len(page)) * len(cells) // len(page), len(cells) - 1)
    filled = layout.filled[-1] if layout.filled else cells.shape[1]
    columns = (np.arange(WIDTH) * filled / WIDTH).astype(int)
    back = cells[rows[:, None], columns]
    return np.where((page == INK).all(-1, keepdims=True), page, back).astype(np.uint8)
