"""Made-up rows with known structure: what class a row is of shows in how its columns go together, in none alone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jepakit_modalities.table.columns import encode
from jepakit_modalities.table.labels import Labels
from jepakit_modalities.table.reader import Table, TableReader

NUMBERS, CHANCE, MISSING = 16, 0.4, 0.05
"""Numeric columns, the standard deviation of chance in each, and the share of cells that are missing."""
CLASSES, SLIP = 4, 1.0
"""Classes, and the standard deviation in radians of chance in what a name or a date tells."""
COLOURS = ("red", "green", "blue", "white")


def groups(count: int, seed: int, split: str) -> TableReader:
    """`count` rows of sixteen numbers, a category, a yes/no and a date; four classes. The same for the same (seed, split).

    A row has a hidden angle; numbers are its cosines at several phases, so each takes all values in all classes, and the class is the
    quadrant of twice the angle, so opposite rows are of one class. Every column shows the angle, none of them well: that is what can be
    learned from predicting some columns from others.
    """
    rng = np.random.Generator(np.random.Philox(key=[seed, int(split == "test")]))
    angle = rng.uniform(0, 2 * np.pi, count)
    phases = np.arange(NUMBERS) * 2 * np.pi / NUMBERS
    frame = pd.DataFrame(np.cos(angle[:, None] - phases) + rng.normal(scale=CHANCE, size=(count, NUMBERS)))
    frame.columns = pd.Index([f"wave {number}" for number in range(NUMBERS)])
    turns = (angle[:, None] + rng.normal(scale=SLIP, size=(count, 2))) / (2 * np.pi) % 1.0
    frame["colour"] = np.array(COLOURS)[(turns[:, 0] * len(COLOURS)).astype(int)]
    frame["bright"] = rng.random(count) < 0.5 + 0.3 * np.sin(angle)
    frame["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.floor(turns[:, 1] * 365), unit="D")
    frame = frame.mask(rng.random(frame.shape) < MISSING)
    labels = ((2 * angle) % (2 * np.pi) // (2 * np.pi / CLASSES)).astype(int).tolist()
    columns, cells = encode(frame, "synthetic")
    table = Table(columns, cells, [f"synthetic/{split}/{row}" for row in range(count)], Labels(labels, "classification"))
    return TableReader(table, origin="synthetic")
