"""Images with more than one label: several classes at once, several numbers, or a class for every pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import numpy as np

from jepakit.sdk import DataError
from jepakit_modalities.image.decode import decode_mask
from jepakit_modalities.image.listing import Listing, text

BETWEEN = "|"
"""Between the classes of one cell of a csv list."""
COLUMN = "label:"
"""Starts the name of a column of zeros and ones in a csv list."""
MOST = 10_000
"""Classes of which an image may have several: it gets a number for each, and a damaged class number must not fill memory."""
VOID = 255
"""In masks of bytes: unknown, as PASCAL VOC and Cityscapes store it."""


def together(values: Sequence[Sequence[Any]], origin: str) -> tuple[np.ndarray, list[str]]:
    """(N, L) int64, 1 where an image has a class, and the names of the classes: every number up to the largest, or all names, sorted.

    values: the classes of each image, whole numbers or names.
    """
    every = sorted({name for row in values for name in row})
    if every and isinstance(every[-1], int):
        if every[0] < 0 or every[-1] >= MOST:
            raise DataError(f"{origin}: class number {every[0] if every[0] < 0 else every[-1]}; expected 0 to {MOST - 1}")
        every = list(range(every[-1] + 1))
    if not 0 < len(every) <= MOST:
        raise DataError(f"{origin}: {len(every)} classes in all; expected 1 to {MOST}")
    places = {name: place for place, name in enumerate(every)}
    flags = np.zeros((len(values), len(every)), dtype=np.int64)
    for row, names in enumerate(values):
        flags[row, [places[name] for name in names]] = 1
    return flags, [text(name) or "" for name in every]


class Masks(Sequence[np.ndarray]):
    """A class for every pixel of an image, (H, W) int64, read when asked for; -1 = unknown."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, place: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, place: slice) -> Masks: ...
    def __getitem__(self, place: int | slice) -> np.ndarray | Masks:
        return Masks(self.files[place]) if isinstance(place, slice) else known(decode_mask(self.files[place]))


def known(mask: np.ndarray) -> np.ndarray:
    """Class numbers as int64, with -1 where a mask of bytes says that it does not know."""
    numbers = mask.astype(np.int64)
    return np.where(numbers == VOID, -1, numbers) if mask.dtype == np.uint8 else numbers


def with_labels(listing: Listing, y: np.ndarray, image: tuple[int, ...], origin: str) -> Listing:
    """The listing of an npz file whose y has a row or a mask an image.

    y: (N, L) of 0 and 1 (classes) or of floating point (numbers), or (N, h, w) of whole numbers whose cells divide the image (H, W).
    """
    if len(y) != len(listing.ids):
        raise DataError(f"{origin}: y has {len(y)} entries for {len(listing.ids)} images in x; they must be as many")
    whole = y.dtype.kind in "iub"
    if y.ndim == 2 and y.dtype.kind == "f":
        return replace(listing, labels=list(y.astype(np.float64)), label_kind="regression")
    if y.ndim == 2 and whole and np.isin(y, (0, 1)).all():
        return replace(listing, labels=list(y.astype(np.int64)), label_kind="multilabel")
    if y.ndim == 3 and whole and not any(side % cells for side, cells in zip(image, y.shape[1:])):
        return replace(listing, labels=list(known(y)), label_kind="dense")
    raise DataError(
        f"{origin}: y is {y.dtype} of shape {y.shape}; expected [N] classes or numbers, [N, L] of 0 and 1 (several classes) or of floating "
        f"point (several numbers), or [N, H, W] of whole numbers, a class for every pixel or for cells that divide {image[0]} x {image[1]}"
    )
