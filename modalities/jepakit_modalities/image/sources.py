"""From a path to a reader: a folder of images, a csv list, one image, a Parquet or an npz file, told apart by what they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from jepakit.sdk import DataError
from jepakit_modalities.image.decode import SUFFIXES, decode_file
from jepakit_modalities.image.digest import digest
from jepakit_modalities.image.listing import Listing, numbered, text
from jepakit_modalities.image.npz import open_npz
from jepakit_modalities.image.parquet import open_parquet
from jepakit_modalities.image.reader import ImageReader
from jepakit_modalities.image.several import BETWEEN, COLUMN, Masks, together

COLUMNS = ("path", "label", "mask", "group", "split")
"""Columns of a csv list that mean something; others are ignored."""


def open_path(path: Path, split: str) -> ImageReader:
    """A reader of whatever lies at `path`. Only a csv list can hold several splits; anything else is the split it is opened as."""
    try:
        if not path.exists():
            raise DataError(f"no such file or folder: {path}; expected a folder of images, or a .parquet, .npz or .csv file")
        return open_csv(path, split) if path.suffix.lower() == ".csv" and path.is_file() else open_whole(path)
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror or error})") from error


def open_whole(path: Path) -> ImageReader:
    """A reader of a source that holds one split."""
    if path.is_dir():
        return open_folder(path)
    openers = {".parquet": open_parquet, ".npz": open_npz}
    suffix = path.suffix.lower()
    if suffix in openers:
        return openers[suffix](path)
    if suffix in SUFFIXES:
        return ImageReader(Listing([path.name], digest=digest([path], [path.name])), lambda index: decode_file(path), origin=str(path))
    raise DataError(f"{path}: can't tell what '{suffix}' is; expected a folder of images, or a .parquet, .npz or .csv file")


def open_folder(folder: Path) -> ImageReader:
    """All images below a folder, sorted by name, hidden files and folders left out.

    When each lies in a folder of its own kind (folder/class/image), that is its label; in any other arrangement there are no labels.
    """
    inside = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    inside = [path for path in inside if not any(part.startswith(".") for part in path.parts)]
    if not inside:
        raise DataError(f"{folder}: holds no image; expected files ending in {', '.join(sorted(SUFFIXES))}")
    files, ids = [folder / path for path in inside], [printable(path) for path in inside]
    classes = [path.parts[0] for path in inside] if all(len(path.parts) == 2 for path in inside) else None
    names = None if classes is None else sorted(set(classes))
    places = {name: number for number, name in enumerate(names or ())}
    labels = None if classes is None else [places[name] for name in classes]
    listing = Listing(ids=ids, labels=labels, class_names=names, digest=digest(files, ids))
    return ImageReader(listing, lambda index: decode_file(files[index]), origin=str(folder))


def printable(path: Path) -> str:
    """A path as an id; bytes of a file name that are no UTF-8 are written as escapes."""
    return path.as_posix().encode("utf-8", "backslashreplace").decode()


def open_csv(path: Path, split: str) -> ImageReader:
    """A list: column `path` (relative to the csv), and optionally `label` or `mask`, `group`, `split`.

    `mask` names an image of class numbers, a class a pixel. An image has several classes where a cell of `label` says a|b, or where there
    are columns of zeros and ones, `label:a` and `label:b`.

    With a `split` column, only the rows of the split asked for are listed ("all": every row); classes are numbered over all rows, so
    that a number means the same in every split. Without one, all rows are that split.
    """
    frame = load(path)
    labels, names, kind = labels_of(frame, path)
    rows = [row for row in range(len(frame)) if split == "all" or "split" not in frame.columns or frame["split"].iloc[row] == split]
    if len(frame) and not rows:
        found = ", ".join(sorted(set(frame["split"])))
        raise DataError(f"{path}: column 'split' has no row '{split}', only {found}; it must say train or test")
    ids = [str(frame["path"].iloc[row]) for row in rows]
    files = [path.parent / name for name in ids]
    masks = [path.parent / str(frame["mask"].iloc[row]) for row in rows] if "mask" in frame.columns else []
    for row, file in zip((*rows, *rows), (*files, *masks)):
        if not file.is_file():
            raise DataError(f"{path}: line {row + 2}: there is no image {file}; paths are relative to the folder of the csv")
    listing = Listing(
        ids=ids,
        labels=Masks(masks) if masks else None if labels is None else [labels[row] for row in rows],
        groups=[text(frame["group"].iloc[row]) for row in rows] if "group" in frame.columns else None,
        class_names=names,
        digest=digest([path, *files, *masks], [path.name, *ids, *map(str, masks)]),
        label_kind="dense" if masks else kind,
    )
    return ImageReader(listing, lambda index: decode_file(files[index]), origin=str(path))


def labels_of(frame: pd.DataFrame, path: Path) -> tuple[Sequence[int | float | np.ndarray] | None, list[str] | None, str | None]:
    """Labels of all rows, names of the classes, and the kind of labels where it must be said."""
    if "mask" in frame.columns and any(name == "label" or str(name).startswith(COLUMN) for name in frame.columns):
        raise DataError(f"{path}: there are labels and masks; keep one of the columns, evaluations judge one kind of label")
    flags = [name for name in frame.columns if str(name).startswith(COLUMN)]
    if flags:
        for name in flags:
            frame[name] = pd.to_numeric(frame[name], errors="coerce")
            if not (fits := frame[name].isin((0, 1))).all():
                raise DataError(f"{path}: column '{name}', line {int(fits.to_numpy().argmin()) + 2}: expected 0 or 1")
        return list(frame[flags].to_numpy(np.int64)), [name.removeprefix(COLUMN) for name in flags], "multilabel"
    if "label" not in frame.columns:
        return None, None, None
    cells = frame["label"].tolist()
    if any(isinstance(cell, str) and BETWEEN in cell for cell in cells):
        said = [[part.strip() for part in (text(cell) or "").split(BETWEEN) if part.strip()] for cell in cells]
        several, names = together(said, f"{path}: column 'label'")
        return list(several), names, "multilabel"
    if frame["label"].isna().any():
        raise DataError(f"{path}: column 'label' is empty in line {int(frame['label'].isna().to_numpy().argmax()) + 2}; fill it in")
    return *numbered(cells), None


def load(path: Path) -> pd.DataFrame:
    """The table of a csv list. Only an empty cell is missing: "NA" and "None" are names like any other."""
    try:
        frame = pd.read_csv(path, dtype={"path": str, "mask": str, "group": str, "split": str}, keep_default_na=False, na_values=[""])
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path}: not a readable csv file ({' '.join(str(error).split())})") from error
    if "path" not in frame.columns:
        raise DataError(f"{path}: no column 'path'; found {', '.join(map(str, frame.columns))}. It must name an image a row")
    for column in COLUMNS:
        if f"{column}.1" in frame.columns:  # how pandas renames the second of two columns of one name
            raise DataError(f"{path}: there are two columns '{column}'; keep one")
        if column not in ("group", "label") and column in frame.columns and frame[column].isna().any():
            raise DataError(f"{path}: column '{column}' is empty in line {int(frame[column].isna().to_numpy().argmax()) + 2}; fill it in")
    return frame
