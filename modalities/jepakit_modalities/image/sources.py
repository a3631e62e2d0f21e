"""From a path to a reader: a folder of images, a Parquet file, an npz file, a csv list. Formats are told apart by what they are."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from jepakit.sdk import DataError
from jepakit_modalities.image.decode import BUDGET, SUFFIXES, channels_first, decode_bytes, decode_file
from jepakit_modalities.image.reader import ImageReader, Listing


def open_path(path: Path) -> ImageReader:
    """A reader of whatever lies at `path`."""
    if not path.exists():
        raise DataError(f"no such file or folder: {path}; expected a folder of images, or a .parquet, .npz or .csv file")
    if path.is_dir():
        return open_folder(path)
    openers = {".parquet": open_parquet, ".npz": open_npz, ".csv": open_csv}
    suffix = path.suffix.lower()
    if suffix in openers:
        return openers[suffix](path)
    if suffix in SUFFIXES:
        return ImageReader(Listing([path.name], digest=digest(path)), lambda index: decode_file(path), origin=str(path))
    raise DataError(f"{path}: can't tell what '{suffix}' is; expected a folder of images, or a .parquet, .npz or .csv file")


def open_folder(folder: Path) -> ImageReader:
    """All images below a folder, sorted by name. When each lies in a folder of its own kind (folder/class/image), that is its label."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not files:
        raise DataError(f"{folder}: holds no image; expected files ending in {', '.join(sorted(SUFFIXES))}")
    inside = [path.relative_to(folder) for path in files]
    names = sorted({path.parts[0] for path in inside}) if all(len(path.parts) == 2 for path in inside) else None
    places = None if names is None else {name: number for number, name in enumerate(names)}
    listing = Listing(
        ids=[str(path) for path in inside],
        labels=None if places is None else [places[path.parts[0]] for path in inside],
        class_names=names,
        digest=digest(*files),
    )
    return ImageReader(listing, lambda index: decode_file(files[index]), origin=str(folder))


def open_parquet(path: Path) -> ImageReader:
    """Rows with encoded images, in the layout of Hugging Face data sets: a column of {bytes, path} or of bytes; `label` if present."""
    try:
        BUDGET.check_file(path)
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: not a readable Parquet file ({error})") from error
    column = image_column(table, path)
    stored = table.column(column).combine_chunks()
    chunk = stored.field("bytes") if pa.types.is_struct(stored.type) else stored
    labels, names = labels_of(table, path)
    listing = Listing(
        ids=[f"{path.stem}/{row}" for row in range(len(table))],
        labels=labels,
        groups=groups_of(table),
        class_names=names,
        digest=digest(path),
    )

    def fetch(index: int) -> np.ndarray:
        data = chunk[index].as_py()
        if not data:
            raise DataError(f"{path}: row {index}: column '{column}' is empty; expected the bytes of an image")
        return decode_bytes(data, f"{path}: row {index}, column '{column}'")

    return ImageReader(listing, fetch, origin=str(path))


def image_column(table: pa.Table, path: Path) -> str:
    """The first column that can hold encoded images."""
    for field in table.schema:
        kind = field.type
        if pa.types.is_struct(kind) and any(kind.field(number).name == "bytes" for number in range(kind.num_fields)):
            return str(field.name)
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            return str(field.name)
    raise DataError(f"{path}: no column with images; expected one of {{bytes, path}} or of bytes, found {', '.join(table.column_names)}")


def labels_of(table: pa.Table, path: Path) -> tuple[list[int] | None, list[str] | None]:
    """Class numbers from `label` or `labels` (numbers or names), names from `label_name`."""
    column = next((name for name in ("label", "labels") if name in table.column_names), None)
    if column is None:
        return None, None
    values = table.column(column).to_pylist()
    if any(value is None for value in values):
        raise DataError(f"{path}: column '{column}': row {values.index(None)} is empty; label every row or drop the column")
    numbers, names = numbered(values)
    if "label_name" in table.column_names:
        names = named(numbers, table.column("label_name").to_pylist())
    return numbers, names


def named(numbers: Sequence[int], names: Sequence[Any]) -> list[str]:
    """Names by class number, from a name a row."""
    found = {number: str(name) for number, name in zip(numbers, names)}
    return [found.get(number, str(number)) for number in range(max(found) + 1)]


def numbered(values: Sequence[Any]) -> tuple[list[int], list[str] | None]:
    """Labels as class numbers; names become numbers in sorted order."""
    if all(isinstance(value, (int, np.integer)) for value in values):
        return [int(value) for value in values], None
    names = sorted({str(value) for value in values})
    places = {name: number for number, name in enumerate(names)}
    return [places[str(value)] for value in values], names


def groups_of(table: pa.Table) -> list[str] | None:
    """The `group` column as text."""
    return [str(value) for value in table.column("group").to_pylist()] if "group" in table.column_names else None


def open_npz(path: Path) -> ImageReader:
    """Arrays x [N, H, W] or [N, H, W, C] or [N, C, H, W], y, group, class_names, id, scale (x times scale is the physical value)."""
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                BUDGET.check_decoded(f"{path}: {member.filename}", member.file_size, member.compress_size)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name in ("x", "y", "group", "class_names", "id", "scale")}
    except (OSError, ValueError, EOFError, SyntaxError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a plain .npz file ({error}); save it with numpy.savez") from error
    if "x" not in arrays or arrays["x"].ndim not in (3, 4):
        found = f"x is {arrays['x'].ndim}-D" if "x" in arrays else "there is no x"
        raise DataError(f"{path}: {found}; expected an array x of shape [N, H, W], [N, H, W, C] or [N, C, H, W]")
    x, count = arrays["x"], len(arrays["x"])
    for name in ("y", "group", "id"):
        if name in arrays and len(arrays[name]) != count:
            raise DataError(f"{path}: {name} has {len(arrays[name])} entries for {count} images in x; they must be as many")
    names = [str(name) for name in arrays["class_names"]] if "class_names" in arrays else None
    listing = Listing(
        ids=unique_ids(arrays.get("id"), count, path.stem),
        labels=numbered(arrays["y"].tolist())[0] if "y" in arrays else None,
        groups=[str(name) for name in arrays["group"]] if "group" in arrays else None,
        class_names=names,
        digest=digest(path),
    )
    scale = float(arrays["scale"]) if "scale" in arrays else None

    def fetch(index: int) -> np.ndarray:
        image = channels_first(x[index], f"{path}: x[{index}]")
        return image if scale is None else (image * scale).astype(np.float32)

    return ImageReader(listing, fetch, origin=str(path))


def unique_ids(names: np.ndarray | None, count: int, stem: str) -> list[str]:
    """The stored ids; with the row number behind them where they repeat, since masks are keyed by them."""
    if names is None:
        return [f"{stem}/{row}" for row in range(count)]
    stored = [str(name) for name in names]
    return stored if len(set(stored)) == count else [f"{name}#{row}" for row, name in enumerate(stored)]


def open_csv(path: Path) -> ImageReader:
    """A list: column `path` (relative to the csv), and optionally `label`, `group`."""
    try:
        frame = pd.read_csv(path)
    except (OSError, ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path}: not a readable csv file ({error})") from error
    if "path" not in frame.columns:
        raise DataError(f"{path}: no column 'path'; found {', '.join(map(str, frame.columns))}. It must name an image a row")
    for column in ("path", "label", "group"):
        if column in frame.columns and frame[column].isna().any():
            raise DataError(f"{path}: column '{column}' is empty in line {int(frame[column].isna().to_numpy().argmax()) + 2}; fill it in")
    files = [path.parent / str(name) for name in frame["path"]]
    numbers, names = numbered(frame["label"].tolist()) if "label" in frame.columns else (None, None)
    listing = Listing(
        ids=[str(name) for name in frame["path"]],
        labels=numbers,
        groups=[str(name) for name in frame["group"]] if "group" in frame.columns else None,
        class_names=names,
        digest=digest(path),
    )
    return ImageReader(listing, lambda index: decode_file(files[index]), origin=str(path))


def digest(*files: Path) -> str:
    """Changes when a file is added, renamed or resized, or when its first 64 KiB change."""
    made = blake2b(digest_size=16)
    for path in files:
        made.update(f"{path.name}\x1f{path.stat().st_size}\x1f".encode())
    with files[0].open("rb") as file:
        made.update(file.read(1 << 16))
    return made.hexdigest()
