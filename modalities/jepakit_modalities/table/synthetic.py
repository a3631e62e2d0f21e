"""Made-up rows with known structure: which hidden group a row belongs to shows in how its columns go together, in none alone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jepakit_modalities.table.columns import encode
from jepakit_modalities.table.labels import Labels
from jepakit_modalities.table.reader import Table, TableReader

NUMBERS, MISSING = 6, 0.05
"""Numeric columns, and the share of cells that are missing."""
COLOURS = ("red", "green", "blue", "white")


def groups(count: int, seed: int, split: str) -> TableReader:
    """`count` rows of six numbers, a category, a yes/no and a date; four classes. The same for the same (seed, split).

    A row has a hidden angle; numbers are its cosines at several phases, so each takes all values in all classes. The class is the
    quadrant of twice the angle.
    """
    rng = np.random.Generator(np.random.Philox(key=[seed, int(split == "test")]))
    angle = rng.uniform(0, 2 * np.pi, count)
    phases = np.arange(NUMBERS) * np.pi / NUMBERS
    frame = pd.DataFrame(np.cos(angle[:, None] - phases) + rng.normal(scale=0.15, size=(count, NUMBERS)))
    frame.columns = pd.Index([f"wave {number}" for number in range(NUMBERS)])
    frame["colour"] = np.array(COLOURS)[(angle // (np.pi / 2)).astype(int)]
    frame["bright"] = rng.random(count) < 0.5 + 0.4 * np.sin(3 * angle)
    frame["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.floor(angle / (2 * np.pi) * 365), unit="D")
    frame = frame.mask(rng.random(frame.shape) < MISSING)
    labels = ((2 * angle) % (2 * np.pi) // (np.pi / 2)).astype(int).tolist()
    columns, cells = encode(frame, "synthetic")
    table = Table(columns, cells, [f"synthetic/{split}/{row}" for row in range(count)], Labels(labels, "classification"))
    return TableReader(table, origin="synthetic")
