"""From what stands after --data to a reader: image chips, npz arrays, or scenes, with options behind `::`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jepakit.sdk import DataError
from jepakit_modalities.image.decode import channels_first
from jepakit_modalities.image.npz import listing_of, load
from jepakit_modalities.image.reader import ImageReader
from jepakit_modalities.image.sources import open_path
from jepakit_sar.options import SourceOptions, parsed
from jepakit_sar.quantity import amplitude
from jepakit_sar.reader import SarReader
from jepakit_sar.scenes import is_scenes, open_scenes


def open_sar(source: str, split: str) -> SarReader:
    """A reader of amplitudes of whatever lies there."""
    path, options = parsed(source)
    if is_scenes(path):
        images = open_scenes(path, options)
    elif options.tile is not None:
        raise DataError(f"{source}: tile is for TIFF scenes; image chips and npz arrays are read whole")
    elif path.suffix.lower() == ".npz" and path.is_file():
        images = open_npz(path, options)
    else:
        images = open_images(path, split, options)
    return SarReader(images, options.quantity)


def open_npz(path: Path, options: SourceOptions) -> ImageReader:
    """Arrays x [N, H, W], [N, H, W, C] or [N, C, H, W], real or complex, and y, group, class_names, id, scale as for images."""
    arrays = load(path)
    if "x" not in arrays or arrays["x"].ndim not in (3, 4):
        raise DataError(f"{path}: no array x of shape [N, H, W], [N, H, W, C] or [N, C, H, W]; found {', '.join(arrays) or 'nothing'}")
    x, listing = arrays["x"], listing_of(arrays, path)
    scale = arrays["scale"].item() if "scale" in arrays else None

    def fetch(index: int) -> np.ndarray:
        values = x[index] if scale is None else x[index] * scale
        return channels_first(amplitude(values, options.quantity, options.nodata), f"{path}: x[{index}]")

    return ImageReader(listing, fetch, origin=str(path))


def open_images(path: Path, split: str, options: SourceOptions) -> ImageReader:
    """Everything that images can be read from: a folder, a csv list, one file, Parquet."""
    images = open_path(path, split)
    return ImageReader(images.listing, lambda index: amplitude(images.fetch(index), options.quantity, options.nodata), origin=str(path))
