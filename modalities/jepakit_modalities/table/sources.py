"""From a path to a reader: csv, Parquet or npz."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from jepakit.sdk import DataError, ReadBudget
from jepakit_modalities.table.address import Address
from jepakit_modalities.table.columns import encode, plain
from jepakit_modalities.table.labels import labels_of
from jepakit_modalities.table.reader import Table, TableReader

MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "?"]
"""What a csv file may write for a missing cell. "None" and "none" are not among them: they are real categories in many tables."""
BUDGET = ReadBudget()
UNREADABLE = (
    OSError, ValueError, EOFError, SyntaxError, KeyError, RuntimeError, NotImplementedError, MemoryError, OverflowError,
    zipfile.BadZipFile, zlib.error, pa.ArrowException,
)  # fmt: skip
ROLES = {"y": "label", "group": "group", "id": "id"}
"""Arrays of an npz file that describe rows → the columns that they become."""


def open_path(address: Address, split: str) -> TableReader:
    """A reader of the rows of one split. A file without a column `split` is all of the split that it is opened as."""
    frame = load(address.path)
    address = with_defaults(address, frame)
    origin = str(address.path)
    check_named(address, frame, origin)
    labels = None if address.label is None else labels_of(frame[address.label], address.task, f"{origin}: label '{address.label}'")
    rows = rows_of(frame, address.split or split, origin, must=address.split is not None)
    special = {address.label, address.group, address.id, "split", *address.drop}
    features = frame.loc[:, ~frame.columns.isin([name for name in special if name is not None])]
    columns, cells = encode(features, origin, as_names=address.categorical, as_numbers=address.numeric)
    names = (
        frame[address.id].map(plain).to_numpy() if address.id else np.char.add(f"{address.path.stem}/", np.arange(len(frame)).astype(str))
    )
    table = Table(
        columns,
        cells[rows],
        ids=[str(name) for name in names[rows]],
        labels=None if labels is None else type(labels)([labels.values[row] for row in rows], labels.kind, labels.class_names),
        groups=None if address.group is None else [group_name(value) for value in frame[address.group].to_numpy()[rows]],
    )
    return TableReader(table, origin=origin)


def group_name(value: object) -> str | None:
    """A group as written; None for an empty cell."""
    return None if pd.isna(value) else plain(value)  # type: ignore[call-overload]


def with_defaults(address: Address, frame: pd.DataFrame) -> Address:
    """Columns called `label` and `group` are the label and the group, unless the address says otherwise."""
    found = {name: name for name in ("label", "group") if getattr(address, name) is None and name in frame.columns}
    if "id" in frame.attrs.get("roles", ()) and address.id is None:
        found["id"] = "id"
    return Address(**{**vars(address), **found})


def check_named(address: Address, frame: pd.DataFrame, origin: str) -> None:
    """DataError for a column that is named in the address and not in the file, or there twice."""
    named = [name for name in (address.label, address.group, address.id) if name is not None]
    for name in (*named, *address.drop, *address.categorical, *address.numeric):
        if name not in frame.columns:
            shown = ", ".join(map(str, frame.columns[:20])) + (", …" if len(frame.columns) > 20 else "")
            raise DataError(f"{origin}: there is no column '{name}'; it has {shown}")
    for name in named:
        if (frame.columns == name).sum() > 1:
            raise DataError(f"{origin}: there are two columns '{name}'; keep one")


def rows_of(frame: pd.DataFrame, split: str, origin: str, *, must: bool) -> np.ndarray:
    """Numbers of the rows of a split."""
    if split == "all" or "split" not in frame.columns:
        if must and split != "all":
            raise DataError(f"{origin}: split={split}, but there is no column 'split'")
        return np.arange(len(frame))
    rows = np.flatnonzero((frame["split"].astype(str) == split).to_numpy())
    if not len(rows):
        found = ", ".join(sorted(set(frame["split"].astype(str)))[:10])
        raise DataError(f"{origin}: column 'split' has no row '{split}', only {found}; choose one with ::split=NAME")
    return rows


def load(path: Path) -> pd.DataFrame:
    """The whole file as a frame. Raises only DataError."""
    loaders = {".csv": load_csv, ".tsv": load_csv, ".parquet": load_parquet, ".pq": load_parquet, ".npz": load_npz}
    loader = loaders.get(path.suffix.lower())
    if not path.is_file():
        raise DataError(f"no such file: {path}; expected a table as .csv, .parquet or .npz")
    if loader is None:
        raise DataError(f"{path}: can't tell what '{path.suffix}' is; expected .csv, .tsv, .parquet or .npz")
    try:
        BUDGET.check_file(path)
        return loader(path)
    except UNREADABLE as error:
        raise DataError(f"{path}: not a readable {path.suffix[1:]} table ({' '.join(str(error).split())[:300]})") from error


def load_csv(path: Path) -> pd.DataFrame:
    """Comma-separated, or tab-separated for .tsv. The header is read by itself, since pandas renames the second of two equal columns."""
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    header = pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str, keep_default_na=False).iloc[0]
    frame = pd.read_csv(path, sep=separator, header=0, keep_default_na=False, na_values=MISSING, low_memory=False)
    if len(header) != frame.shape[1]:
        raise ValueError(f"the first line names {len(header)} columns and rows have {frame.shape[1]}")
    return frame.set_axis(header.str.strip().tolist(), axis=1)


def load_parquet(path: Path) -> pd.DataFrame:
    """Column by column, so that equal names do no harm."""
    with pq.ParquetFile(path) as file:
        BUDGET.check_samples(str(path), file.metadata.num_rows)
        table = file.read()
    numbered = table.rename_columns([str(number) for number in range(table.num_columns)]).replace_schema_metadata(None)
    return numbered.to_pandas(ignore_metadata=True).set_axis(table.column_names, axis=1)


def load_npz(path: Path) -> pd.DataFrame:
    """Arrays x [N, F], y, group, id, columns (names of the columns of x; numbered without), scale."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            BUDGET.check_decoded(f"{path}: {member.filename}", member.file_size, member.compress_size)
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files if name in ("x", "columns", "scale", "class_names", *ROLES)}
    if "x" not in arrays or arrays["x"].ndim != 2:
        raise ValueError("expected an array x of shape [rows, columns]")
    x = arrays["x"] * arrays["scale"] if "scale" in arrays else arrays["x"]
    names = [str(name) for name in arrays["columns"]] if "columns" in arrays else [f"x{number:04d}" for number in range(x.shape[1])]
    frame = pd.DataFrame(x).set_axis(names, axis=1)
    for array, role in ROLES.items():
        if array in arrays:
            values = arrays[array]
            if values.ndim != 1 or len(values) != len(frame):
                raise ValueError(f"{array} has shape {values.shape} for {len(frame)} rows in x")
            if array == "y" and "class_names" in arrays and values.dtype.kind in "iu":
                values = arrays["class_names"].astype(str)[values]
            frame[role] = values
    frame.attrs["roles"] = tuple(ROLES[name] for name in ROLES if name in arrays)
    return frame
