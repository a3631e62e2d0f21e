"""From an address to a reader: a folder of sound files, a csv list, one file, or an npz, told apart by what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from jepakit.sdk import DataError
from jepakit_modalities.audio.address import Address
from jepakit_modalities.audio.decode import SUFFIXES, decode, header
from jepakit_modalities.audio.npz import open_npz
from jepakit_modalities.audio.reader import AudioReader, Clip
from jepakit_modalities.image.digest import digest
from jepakit_modalities.image.listing import Listing, numbered, text
from jepakit_modalities.image.sources import printable

LIST = "metadata.csv"
"""The list that a folder may hold beside its recordings, as data sets on Hugging Face do."""
USUAL = {
    "file": ("path", "file", "file_name", "filename"),
    "label": ("label", "class", "target", "category"),
    "group": ("group", "speaker", "speaker_id", "subject"),
}
"""Columns of a csv list that are taken for it, the first one that is there."""
EXPECTED = "a folder of sound files, a .csv list, an .npz file, or one sound file"


def open_address(address: Address, split: str) -> AudioReader:
    """A reader of whatever lies there. Only a csv list can hold several splits; anything else is the split it is opened as."""
    path = address.path
    try:
        listed = path.suffix.lower() == ".csv" or (path / LIST).is_file()
        if not listed and (address.only or address.without or address.split):
            raise DataError(f"{path}: only, without and split choose rows of a csv list, and there is none; give PATH.csv::without=NAME")
        if path.is_dir():
            return open_csv(address, path / LIST, split) if (path / LIST).is_file() else open_folder(address)
        if not path.is_file():
            raise DataError(f"no such file or folder: {path}; expected {EXPECTED}")
        suffix = path.suffix.lower()
        if suffix == ".csv":
            return open_csv(address, path, split)
        if suffix == ".npz":
            return open_npz(path, address.rate_hz)
        if suffix in SUFFIXES:
            return reader_of([path], Listing([path.name], digest=digest([path], [path.name])), address)
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror or error})") from error
    raise DataError(f"{path}: can't tell what '{suffix}' is; expected {EXPECTED}")


def open_folder(address: Address) -> AudioReader:
    """All sound files below a folder, sorted by name, hidden ones left out; folder/class/clip is labelled by its folder."""
    folder = address.path
    inside = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    inside = [path for path in inside if not any(part.startswith(".") for part in path.parts)]
    if not inside:
        raise DataError(f"{folder}: holds no sound; expected files ending in {', '.join(sorted(SUFFIXES))}")
    files, ids = [folder / path for path in inside], [printable(path) for path in inside]
    classes = sorted({path.parts[0] for path in inside}) if all(len(path.parts) == 2 for path in inside) else None
    labels = None if classes is None else [classes.index(path.parts[0]) for path in inside]
    return reader_of(files, Listing(ids, labels, class_names=classes, digest=digest(files, ids)), address)


def open_csv(address: Address, path: Path, split: str) -> AudioReader:
    """A list with a column of file names, and optionally label, group and split.

    With a `split` column only the rows of the split asked for are listed ("all": every row); classes are numbered over all rows, so
    that a number means the same in every split. Names are relative to the list, or to a folder `audio` beside it.
    """
    frame = load(path)
    columns = {role: column_of(frame, getattr(address, role), role, path) for role in USUAL}
    if columns["file"] is None:
        raise DataError(f"{path}: no column of file names; found {', '.join(map(str, frame.columns))}. Say which: PATH::file=COLUMN")
    for role in ("file", "label"):
        missing = frame[columns[role]].isna().to_numpy() if columns[role] is not None else None
        if missing is not None and missing.any():
            raise DataError(f"{path}: column '{columns[role]}' is empty in line {int(missing.argmax()) + 2}; fill it in")
    numbers, names = (None, None) if columns["label"] is None else numbered(frame[columns["label"]].tolist())
    rows = of_split(frame, address.split or split, path)
    rows = of_groups(frame, rows, columns["group"], address)
    ids = [str(frame[columns["file"]].iloc[row]) for row in rows]
    files = [found_file(path, name, row) for name, row in zip(ids, rows)]
    listing = Listing(
        ids=ids,
        labels=None if numbers is None else [numbers[row] for row in rows],
        groups=None if columns["group"] is None else [text(frame[columns["group"]].iloc[row]) for row in rows],
        class_names=names,
        digest=digest([path, *files], [path.name, *ids]),
    )
    return reader_of(files, listing, address)


def of_split(frame: pd.DataFrame, split: str, path: Path) -> list[int]:
    """Rows whose column `split` says so; every row for "all", or where there is no such column."""
    rows = [row for row in range(len(frame)) if split == "all" or "split" not in frame.columns or frame["split"].iloc[row] == split]
    if len(frame) and not rows:
        found = ", ".join(sorted(set(frame["split"].astype(str))))
        raise DataError(f"{path}: column 'split' has no row '{split}', only {found}; it must say train or test")
    return rows


def of_groups(frame: pd.DataFrame, rows: list[int], column: str | None, address: Address) -> list[int]:
    """The rows of the one group asked for, or those of all others."""
    names = {"only": address.only, "without": address.without}
    for option, name in ((option, name) for option, name in names.items() if name is not None):
        known = [] if column is None else sorted({text(frame[column].iloc[row]) or "" for row in rows})
        if name not in known:
            raise DataError(f"{address.path}: {option}={name}: there is no such group; there is {', '.join(known[:20]) or 'none at all'}")
        rows = [row for row in rows if (text(frame[column].iloc[row]) == name) == (option == "only")]
    return rows


def load(path: Path) -> pd.DataFrame:
    """The table of a csv list. Only an empty cell is missing: "NA" and "None" are names like any other."""
    try:
        return pd.read_csv(path, keep_default_na=False, na_values=[""])
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path}: not a readable csv file ({' '.join(str(error).split())})") from error


def column_of(frame: pd.DataFrame, asked: str | None, role: str, path: Path) -> str | None:
    """The column that was asked for, or the first of the usual names that is there."""
    if asked is not None and asked not in frame.columns:
        raise DataError(f"{path}: no column '{asked}' for {role}; found {', '.join(map(str, frame.columns))}")
    return asked or next((name for name in USUAL[role] if name in frame.columns), None)


def found_file(path: Path, name: str, row: int) -> Path:
    """Where a named file lies."""
    for file in (path.parent / name, path.parent / "audio" / name):
        if file.is_file():
            return file
    raise DataError(f"{path}: line {row + 2}: there is no file {path.parent / name}, nor in the folder 'audio' beside the list")


def reader_of(files: Sequence[Path], listing: Listing, address: Address) -> AudioReader:
    """A reader of whole files or, when windows are asked for, of their windows."""
    origin, rate = str(address.path), address.rate_hz
    if address.window_s is None:
        return AudioReader(listing, partial(whole, tuple(files)), origin=origin, rate_hz=rate)
    cut, places = windows(files, listing, address.window_s)
    return AudioReader(cut, partial(window, tuple(files), places), origin=origin, rate_hz=rate)


def whole(files: Sequence[Path], index: int) -> Clip:
    """File number `index`."""
    return decode(files[index])


def window(files: Sequence[Path], places: Sequence[tuple[int, int, int]], index: int) -> Clip:
    """Window number `index`; `places` as from `windows`."""
    owner, start, length = places[index]
    return decode(files[owner], start, length)


def windows(files: Sequence[Path], listing: Listing, seconds: float) -> tuple[Listing, list[tuple[int, int, int]]]:
    """The listing of windows, and where each lies: (number of its file, first frame, frames).

    Windows do not overlap; what is left at the end of a file is dropped, and a shorter file is one window.

    Only the window that is read is decoded, so a recording of a day costs no more memory than one of a minute.
    """
    places: list[tuple[int, int, int]] = []
    for owner, path in enumerate(files):
        said = header(path)
        length = min(max(1, round(seconds * said.rate_hz)), said.frames)
        places += [(owner, start, length) for start in range(0, said.frames - length + 1, length)]
    ids = [f"{listing.ids[owner]}@{start}" for owner, start, _ in places]
    owners = [owner for owner, _, _ in places]
    cut = replace(
        listing,
        ids=ids,
        labels=None if listing.labels is None else [listing.labels[owner] for owner in owners],
        groups=[listing.ids[owner] if listing.groups is None else listing.groups[owner] for owner in owners],
        digest=f"{listing.digest}/{seconds:g}",
    )
    return cut, places
