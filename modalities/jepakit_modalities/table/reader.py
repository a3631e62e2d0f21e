"""The one reader of tables: a matrix in memory, one row a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np

from jepakit.sdk import DataError, Reader, Sample
from jepakit_modalities.table.columns import Columns
from jepakit_modalities.table.labels import Labels


@dataclass(frozen=True)
class Table:
    """Rows of a table. cells: (rows, F) float64, as `columns` says. ids: one a row, unique. groups: None where a row has none."""

    columns: Columns
    cells: np.ndarray
    ids: Sequence[str]
    labels: Labels | None = None
    groups: Sequence[str | None] | None = None


class TableReader(Reader):
    """Rows as samples: stream "main" is (F,) float64; meta["columns"] and meta["kinds"] are the same objects for all rows."""

    def __init__(self, table: Table, *, origin: str) -> None:
        if not table.ids:
            raise DataError(f"{origin}: holds no row; expected at least one")
        if not len(table.columns):
            raise DataError(f"{origin}: holds no column beside label, group, split and id; expected at least one")
        if len(set(table.ids)) != len(table.ids):
            raise DataError(f"{origin}: two rows have the same id; masks are keyed by it, so choose another column with ::id=NAME")
        self.table, self.origin = table, origin
        self._meta = {"columns": table.columns.names, "kinds": table.columns.kinds}

    def __len__(self) -> int:
        return len(self.table.ids)

    def read(self, index: int) -> Sample:
        table = self.table
        return Sample(
            streams={"main": table.cells[index]},
            id=table.ids[index],
            label=None if table.labels is None else table.labels.values[index],
            group=None if table.groups is None else table.groups[index],
            meta=self._meta,
        )

    def spec(self) -> Mapping[str, Any]:
        labels = self.table.labels
        said: dict[str, Any] = {} if labels is None else {"label_kind": labels.kind}
        return said | {
            "kind": "table",
            "columns": list(self.table.columns.names),
            "kinds": list(self.table.columns.kinds),
            "shape": [len(self.table.columns)],
            "dtype": "float64",
            "class_names": None if labels is None or labels.class_names is None else list(labels.class_names),
            "count": len(self),
        }

    def fingerprint(self) -> str:
        return self._digest

    @cached_property
    def _digest(self) -> str:
        made = blake2b(repr(self.table.columns).encode(), digest_size=16)
        made.update(np.ascontiguousarray(self.table.cells).tobytes())
        return made.hexdigest()
