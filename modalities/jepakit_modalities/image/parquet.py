"""Encoded images in a Parquet file, in the layout of Hugging Face data sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jepakit.sdk import DataError
from jepakit_modalities.image.decode import BUDGET, decode_bytes
from jepakit_modalities.image.digest import digest
from jepakit_modalities.image.listing import Listing, named, numbered, text
from jepakit_modalities.image.reader import ImageReader
from jepakit_modalities.image.several import together

LABELS = ("label", "labels")
UNREADABLE = (OSError, ValueError, MemoryError, OverflowError, pa.ArrowException)


def open_parquet(path: Path) -> ImageReader:
    """A column of {bytes, path} or of bytes; `label` or `labels`, `label_name` and `group` if present.

    Encoded images are held in memory, once, and decoded when read; other columns are not read at all.
    """
    try:
        column, table = load(path)
        stored = table.column(column)
        images = pc.struct_field(stored, "bytes") if pa.types.is_struct(stored.type) else stored
        labels, names, kind = labels_of(table, path)
        groups = [text(value) for value in table.column("group").to_pylist()] if "group" in table.column_names else None
    except UNREADABLE as error:
        raise DataError(f"{path}: not a readable Parquet file ({' '.join(str(error).split())})") from error
    ids = [f"{path.stem}/{row}" for row in range(len(table))]
    listing = Listing(ids, labels, groups, names, digest([path], [path.name]), kind)

    def fetch(index: int) -> np.ndarray:
        data = images[index].as_py()
        if not data:
            raise DataError(f"{path}: row {index}: column '{column}' is empty; expected the bytes of an image")
        return decode_bytes(data, f"{path}: row {index}, column '{column}'")

    return ImageReader(listing, fetch, origin=str(path))


def load(path: Path) -> tuple[str, pa.Table]:
    """The name of the image column, and a table of it and of what describes it; sizes are checked as declared first."""
    BUDGET.check_file(path)
    with pq.ParquetFile(path) as file:
        BUDGET.check_samples(str(path), file.metadata.num_rows)
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        BUDGET.check_ratio(str(path), sum(group.total_byte_size for group in groups), path.stat().st_size)
        column = image_column(file.schema_arrow, path)
        wanted = {column, *LABELS, "label_name", "group"}
        inner = f"{column}.bytes" if pa.types.is_struct(file.schema_arrow.field(column).type) else column
        return column, file.read(columns=[inner if name == column else name for name in file.schema_arrow.names if name in wanted])


def image_column(schema: pa.Schema, path: Path) -> str:
    """The first column that can hold encoded images."""
    for field in schema:
        kind = field.type
        if pa.types.is_struct(kind):
            kind = next((kind.field(number).type for number in range(kind.num_fields) if kind.field(number).name == "bytes"), kind)
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            return str(field.name)
    raise DataError(f"{path}: no column with images; expected one of {{bytes, path}} or of bytes, found {', '.join(schema.names)}")


def labels_of(table: pa.Table, path: Path) -> tuple[Sequence[int | float | np.ndarray] | None, list[str] | None, str | None]:
    """Class numbers from `label` or `labels` (numbers or names, or a list of them), names from `label_name`, and the kind of labels."""
    column = next((name for name in LABELS if name in table.column_names), None)
    if column is None:
        return None, None, None
    values = table.column(column).to_pylist()
    if any(value is None for value in values):
        raise DataError(f"{path}: column '{column}': row {values.index(None)} is empty; label every row or drop the column")
    if pa.types.is_nested(kind := table.column(column).type):
        if any(not isinstance(row, list) or any(not isinstance(one, int | str) for one in row) for row in values):
            raise DataError(f"{path}: column '{column}' holds {kind}; expected a class (number or name) a row, or a list of them")
        flags, known = together(values, f"{path}: column '{column}'")
        return list(flags), known, "multilabel"
    numbers, names = numbered(values)
    if "label_name" in table.column_names:
        names = named(numbers, table.column("label_name").to_pylist(), f"{path}: column '{column}'")
    return numbers, names, None
