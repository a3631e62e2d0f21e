"""A clip as a picture: its spectrogram, low frequencies at the bottom."""

from __future__ import annotations

import numpy as np

from jepakit.sdk import Layout, MaskPlan, Sample
from jepakit_modalities.audio.spectrum import spectrogram

HEIGHT, WIDTH, MELS = 128, 192, 64
"""Pixels and bands; the width is the same for all clips."""
SHOWN_DB = 60.0
"""Range from the loudest part down to black."""
INK = np.array([(0, 0, 20), (60, 20, 110), (180, 50, 90), (245, 140, 50), (255, 250, 200)], dtype=np.float32)
"""Colours from quiet to loud, evenly spread."""
HIDDEN = 0.25
"""Brightness of what the context encoder does not see."""
COLOURS = ((230, 80, 60), (60, 150, 230), (90, 190, 90), (240, 180, 50))
TINT = 0.3


def drawn(sample: Sample) -> np.ndarray:
    """(128, 192, 3) uint8."""
    decibel = spectrogram(sample.streams["main"], int(sample.meta["rate_hz"]), MELS) * (10 / np.log(10))
    level = np.clip((decibel - decibel.max()) / SHOWN_DB + 1, 0, 1)[::-1] * (len(INK) - 1)
    colours = np.stack([np.interp(level, np.arange(len(INK)), INK[:, part]) for part in range(3)], axis=-1)
    return stretched(colours, HEIGHT, WIDTH).astype(np.uint8)


def drawn_mask(sample: Sample, layout: Layout, plan: MaskPlan) -> np.ndarray:
    """The first context bright, the rest dimmed, tokens that a query asks for tinted in its colour."""
    counts = (layout.coords.max(axis=0) + 1).astype(int)
    seen = np.zeros(len(layout), dtype=bool)
    seen[plan.contexts[0].positions.idx] = True
    bright = on_picture(np.where(seen, 1.0, HIDDEN), layout, counts)
    picture = drawn(sample).astype(np.float32) * bright[..., None]
    for number, query in enumerate(query for query in plan.queries if query.context == 0):
        asked = np.zeros(len(layout))
        asked[query.positions.idx] = TINT
        share = on_picture(asked, layout, counts)[..., None]
        picture = picture * (1 - share) + np.array(COLOURS[number % len(COLOURS)]) * share
    return picture.astype(np.uint8)


def on_picture(values: np.ndarray, layout: Layout, counts: np.ndarray) -> np.ndarray:
    """(N,) a token → (128, 192), time to the right and bands upwards. Exact where tokens fill the clip."""
    grid = np.zeros(counts)
    place = layout.coords.astype(int)
    grid[place[:, 0], place[:, 1]] = values
    return stretched(grid.T[::-1], HEIGHT, WIDTH)


def stretched(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """(h, w, ...) → (height, width, ...), nearest neighbours."""
    rows = np.arange(height) * values.shape[0] // height
    columns = np.arange(width) * values.shape[1] // width
    return values[rows][:, columns]
