"""Images in one npz file of named arrays."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError

import numpy as np

from jepakit.sdk import DataError
from jepakit_modalities.image.decode import BUDGET, channels_first
from jepakit_modalities.image.digest import digest
from jepakit_modalities.image.listing import Listing, numbered, text, unique_ids
from jepakit_modalities.image.reader import ImageReader
from jepakit_modalities.image.several import with_labels

KNOWN = ("x", "y", "group", "class_names", "id", "scale")
UNREADABLE = (
    OSError, ValueError, EOFError, SyntaxError, KeyError, RuntimeError, NotImplementedError, MemoryError, OverflowError, TokenError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What numpy and zipfile were seen to raise on damaged files (3,000 with bytes flipped, and by reading their code)."""


def open_npz(path: Path) -> ImageReader:
    """Arrays x [N, H, W] or [N, H, W, C] or [N, C, H, W], y, group, class_names, id, scale (x times scale is the physical value).

    y: [N], or of more axes as in `several.with_labels`.
    """
    arrays = load(path)
    if "x" not in arrays or arrays["x"].ndim not in (3, 4):
        found = f"x is {arrays['x'].ndim}-D" if "x" in arrays else "there is no x"
        raise DataError(f"{path}: {found}; expected an array x of shape [N, H, W], [N, H, W, C] or [N, C, H, W]")
    x, y = arrays["x"], arrays.pop("y") if "y" in arrays and arrays["y"].ndim > 1 else None
    listing = listing_of(arrays, path)
    scale = float(arrays["scale"].item()) if "scale" in arrays else None

    def fetch(index: int) -> np.ndarray:
        image = channels_first(x[index], f"{path}: x[{index}]")
        return image if scale is None else (image * scale).astype(np.float32)

    if y is not None and len(x):
        listing = with_labels(listing, y, fetch(0).shape[1:], str(path))
    return ImageReader(listing, fetch, origin=str(path))


def listing_of(arrays: dict[str, np.ndarray], path: Path) -> Listing:
    """What the arrays beside x say about its entries."""
    count = len(arrays["x"])
    check_entries(arrays, count, path)
    return Listing(
        ids=unique_ids(arrays["id"].tolist() if "id" in arrays else None, count, path.stem),
        labels=numbered(arrays["y"].tolist())[0] if "y" in arrays else None,
        groups=[text(name) for name in arrays["group"].tolist()] if "group" in arrays else None,
        class_names=[text(name) or "" for name in arrays["class_names"].tolist()] if "class_names" in arrays else None,
        digest=digest([path], [path.name]),
    )


def load(path: Path, also: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """The arrays that are known by name, and those in `also`; sizes are checked as declared before any is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                BUDGET.check_decoded(f"{path}: {member.filename}", member.file_size, member.compress_size)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if name in KNOWN or name in also}
    except UNREADABLE as error:
        raise DataError(f"{path}: not a plain .npz file ({error}); save it with numpy.savez") from error


def check_entries(arrays: dict[str, np.ndarray], count: int, path: Path) -> None:
    """DataError when an array beside x does not fit to it."""
    for name in ("y", "group", "id"):
        if name in arrays and arrays[name].ndim != 1:
            raise DataError(f"{path}: {name} is {arrays[name].ndim}-D; expected one entry an image")
        if name in arrays and len(arrays[name]) != count:
            raise DataError(f"{path}: {name} has {len(arrays[name])} entries for {count} images in x; they must be as many")
    if "class_names" in arrays and arrays["class_names"].ndim != 1:
        raise DataError(f"{path}: class_names is {arrays['class_names'].ndim}-D; expected one name a class")
    if "scale" in arrays and (arrays["scale"].size != 1 or arrays["scale"].dtype.kind not in "iuf"):
        raise DataError(f"{path}: scale is a {arrays['scale'].dtype} array of {arrays['scale'].size}; expected one number for all images")
