"""What a table is: how it is opened, made up, looked at, and what its raw features are."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from jepakit.sdk import Advice, DataError, Layout, MaskPlan, Modality, Reader, Sample
from jepakit_modalities.table.address import SPLITS, parse
from jepakit_modalities.table.bundled import open_bundled
from jepakit_modalities.table.classical import BoostedClasses, BoostedTrees
from jepakit_modalities.table.picture import cell_picture, masked_picture
from jepakit_modalities.table.raw import RawColumns, fit_raw
from jepakit_modalities.table.reader import TableReader
from jepakit_modalities.table.sources import open_path
from jepakit_modalities.table.synthetic import groups


class TableModality(Modality):
    """Rows (F,) float64, dtype and order of columns as `columns` says.

    Raw features need scales and categories, which are taken from the first table that is opened and is no test set.
    """

    name = "table"

    def __init__(self) -> None:
        self._raw: RawColumns | None = None

    def open(self, source: str, split: str) -> Reader:
        if split not in SPLITS:
            raise DataError(f"{source}: no split '{split}'; there is {', '.join(SPLITS)}")
        bundled = source.startswith("bundled:")
        return self._kept(open_bundled(source.removeprefix("bundled:"), split) if bundled else open_path(parse(source), split), split)

    def synthetic(self, count: int, seed: int, split: str = "train") -> Reader:
        return self._kept(groups(count, seed, split), split)

    def _kept(self, reader: TableReader, split: str) -> TableReader:
        if self._raw is None and split != "test":
            self._raw = fit_raw(reader.table.columns.kinds, reader.table.cells)
        return reader

    def advice(self, sample: Sample) -> Advice:
        """Which column is to be predicted is for the user to say."""
        if sample.label is not None:
            return Advice()
        return Advice(reason="no column is the label, so all are features; where one is to be predicted, say which: ::label=COLUMN")

    def raw_features(self, sample: Sample) -> np.ndarray:
        """Standardised numbers, zero where missing, one column a category, and a flag a column that says what is missing."""
        return self._scales(sample).features(sample.streams["main"])

    def classical(self, task: str) -> tuple[str, Any] | None:
        if task not in ("classification", "regression"):
            return None
        name = "LightGBM" if find_spec("lightgbm") else "boosted trees (scikit-learn)"
        return name, BoostedClasses() if task == "classification" else BoostedTrees(task)

    def picture(self, sample: Sample) -> np.ndarray:
        return cell_picture(sample.streams["main"], self._scales(sample))

    def mask_picture(self, sample: Sample, layout: Layout, plan: MaskPlan) -> np.ndarray | None:
        return masked_picture(sample.streams["main"], self._scales(sample), len(layout), plan)

    def _scales(self, sample: Sample) -> RawColumns:
        """The scales of the training table; those of the row itself, which say nothing, when none was opened or it has other columns."""
        if self._raw is None or len(self._raw.kinds) != len(sample.streams["main"]):
            return fit_raw(sample.meta["kinds"], sample.streams["main"][None])
        return self._raw
