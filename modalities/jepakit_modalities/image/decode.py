"""Encoded images → (C, H, W) arrays in the dtype of the file. Only `DataError` leaves this module.

Grey is 1 channel, colour 3; 16-bit and floating-point images stay what they are. Palettes, transparency and print colours become RGB,
transparency being dropped.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from tokenize import TokenError

import numpy as np
from PIL import Image, UnidentifiedImageError

from jepakit.sdk import DataError, ReadBudget

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm", ".npy"})
BUDGET = ReadBudget()
KEPT = {"L": np.uint8, "RGB": np.uint8, "F": np.float32}
"""Pillow modes that are taken as they are."""


def decode_bytes(data: bytes, name: str, *, mask: bool = False) -> np.ndarray:
    """(C, H, W) from the bytes of an encoded image, or (H, W) class numbers of a mask; `name` is what errors call it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of damaged metadata; the pixels decide
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                BUDGET.check_pixels(name, *image.size)
                return numbers(image, name) if mask else pixels(image, name)
    except UnidentifiedImageError as error:
        raise DataError(f"{name}: not an image in one of the formats {', '.join(FORMATS)}; remove or convert it") from error
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{name}: damaged or truncated image ({error}); replace or remove it") from error


def pixels(image: Image.Image, name: str) -> np.ndarray:
    """(C, H, W) of an open image."""
    if image.mode.startswith("I"):
        wide = np.asarray(image)
        if wide.min() < 0 or wide.max() > 65535:
            raise DataError(
                f"{name}: integer pixels from {wide.min()} to {wide.max()}; 16 bits were expected. Convert it to float TIFF or npz"
            )
        return wide.astype(np.uint16)[None]
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode not in KEPT:
        image = image.convert("L" if image.mode == "LA" else "RGB")
    array = np.asarray(image)
    return array[None].copy() if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))


def numbers(image: Image.Image, name: str) -> np.ndarray:
    """(H, W) of an open mask: what is stored at each pixel, a place in the palette where there is one."""
    if image.mode not in ("1", "L", "P") and not image.mode.startswith("I"):
        raise DataError(f"{name}: a mask of mode {image.mode} holds colours; expected a class number a pixel, grey or with a palette")
    return np.asarray(image).astype(np.int64 if image.mode.startswith("I") else np.uint8)


def decode_mask(path: Path) -> np.ndarray:
    """(H, W) class numbers, dtype as stored, from an image file or an .npy array."""
    if path.suffix.lower() == ".npy":
        found = decode_file(path)
        if found.shape[0] != 1 or found.dtype.kind not in "iu":
            raise DataError(f"{path}: a {found.dtype} array of {len(found)} channels; a mask is a 2-D array of whole numbers")
        return found[0]
    try:
        BUDGET.check_file(path)
        return decode_bytes(path.read_bytes(), str(path), mask=True)
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror or error})") from error


def decode_file(path: Path) -> np.ndarray:
    """(C, H, W) from an image file or an .npy array."""
    try:
        BUDGET.check_file(path)
        if path.suffix.lower() == ".npy":
            # mapped, so that a header that declares more than the file holds is refused before anything is allocated
            return channels_first(np.array(np.load(path, allow_pickle=False, mmap_mode="r")), str(path))
        return decode_bytes(path.read_bytes(), str(path))
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror or error})") from error
    except (ValueError, EOFError, SyntaxError, OverflowError, TokenError) as error:
        raise DataError(f"{path}: not a plain .npy array ({error}); save it with numpy.save(..., allow_pickle=False)") from error


def channels_first(array: np.ndarray, name: str) -> np.ndarray:
    """(H, W), (H, W, C) or (C, H, W) → (C, H, W) in the byte order of this machine.

    A last axis that is at most 32 and smaller than the first two holds channels.
    """
    if array.dtype.kind not in "uif" or array.ndim not in (2, 3):
        raise DataError(f"{name}: a {array.ndim}-D {array.dtype} array; an image is a 2-D or 3-D array of numbers")
    if not array.size:
        raise DataError(f"{name}: an array of shape {array.shape} holds no pixel; remove it")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.ndim == 2:
        return array[None]
    if array.shape[2] <= 32 and array.shape[2] < min(array.shape[:2]):
        return np.ascontiguousarray(array.transpose(2, 0, 1))
    return array
