"""Real tables that ship inside scikit-learn, so that a fresh machine needs no download."""

from __future__ import annotations

from difflib import get_close_matches

import numpy as np
import pandas as pd

from jepakit.sdk import DataError
from jepakit_modalities.table.columns import encode
from jepakit_modalities.table.labels import Labels
from jepakit_modalities.table.reader import Table, TableReader

SETS = {"breast-cancer": "load_breast_cancer", "diabetes": "load_diabetes", "iris": "load_iris", "wine": "load_wine"}
EVERY = 5
"""Every fifth row of a class (of the table, for numbers) is test."""


def open_bundled(name: str, split: str) -> TableReader:
    """One of `SETS`; split "train", "test" or "all"."""
    if name not in SETS:
        near = get_close_matches(name, SETS, n=1)
        hint = f" Did you mean 'bundled:{near[0]}'?" if near else ""
        raise DataError(f"no bundled table '{name}'; there is: {', '.join(f'bundled:{known}' for known in SETS)}.{hint}")
    from sklearn import datasets

    found = getattr(datasets, SETS[name])()
    classes = "target_names" in found
    target = found.target.astype(np.int64 if classes else np.float64)
    rank = pd.Series(target).groupby(target).cumcount().to_numpy() if classes else np.arange(len(target))
    test = rank % EVERY == 0
    rows = np.flatnonzero(np.ones_like(test) if split == "all" else test if split == "test" else ~test)
    columns, cells = encode(pd.DataFrame(found.data, columns=list(found.feature_names)), f"bundled:{name}")
    names = tuple(str(label) for label in found.target_names) if classes else None
    labels = Labels(target[rows].tolist(), "classification" if classes else "regression", names)
    return TableReader(Table(columns, cells[rows], [f"{name}/{row}" for row in rows], labels), origin=f"bundled:{name}")
