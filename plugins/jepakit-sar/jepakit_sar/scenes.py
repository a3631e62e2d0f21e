"""GeoTIFF scenes of any size, read tile by tile through windows: a scene is never in memory as a whole."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jepakit.sdk import DataError
from jepakit_modalities.image.digest import digest
from jepakit_modalities.image.listing import Listing
from jepakit_modalities.image.reader import ImageReader
from jepakit_sar.quantity import amplitude

if TYPE_CHECKING:
    from jepakit_sar.options import SourceOptions

SUFFIXES = frozenset({".tif", ".tiff"})
LARGEST_WHOLE = 512
"""Pixels of the longer side up to which a file without a `tile` option is one sample: a chip, not a scene."""
TILE = 256
"""Side of a tile of larger files when none is asked for."""
LEAST_DATA = 0.25
"""Share of a tile that must have data: scenes that were turned to the north have empty corners."""
COARSE = 8
"""Every eighth pixel either way is looked at for that."""


@dataclass(frozen=True)
class Tile:
    """A window of one file, in pixels."""

    path: Path
    top: int
    left: int
    height: int
    width: int


def is_scenes(path: Path) -> bool:
    """Whether `path` is a TIFF file or a folder that holds no other images."""
    if path.is_file():
        return path.suffix.lower() in SUFFIXES
    return (
        path.is_dir()
        and bool(tiffs(path))
        and not any(file.suffix.lower() in (".png", ".jpg", ".jpeg", ".npy") for file in path.rglob("*"))
    )


def tiffs(folder: Path) -> list[Path]:
    """All TIFF files below a folder, sorted, hidden ones left out."""
    inside = (file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    return sorted(file for file in inside if not any(part.startswith(".") for part in file.relative_to(folder).parts))


def open_scenes(path: Path, options: SourceOptions) -> ImageReader:
    """Tiles of one scene or of all in a folder. Files of folder/class/file.tif are labelled by their folder.

    The group of a tile is its scene; of one scene alone the tile itself, when tiles don't overlap.
    """
    files = [path] if path.is_file() else tiffs(path)
    tiles = [tile for file in files for tile in tiles_of(file, options)]
    root = path.parent if path.is_file() else path
    names = [tile.path.relative_to(root).as_posix() for tile in tiles]
    ids = [f"{name}@{tile.top}-{tile.left}" for name, tile in zip(names, tiles)]
    apart = len(files) == 1 and (options.step is None or options.tile is None or options.step >= options.tile)
    labels, classes = labels_of([tile.path.relative_to(root) for tile in tiles])
    settings = f"{options.tile}-{options.step}-{options.nodata}"
    listing = Listing(
        ids=ids,
        labels=labels,
        groups=ids if apart else names,
        class_names=classes,
        digest=f"{digest(files, [file.name for file in files])}-{settings}",
    )
    return ImageReader(listing, lambda index: read_tile(tiles[index], options), origin=str(path))


def labels_of(files: Sequence[Path]) -> tuple[list[int] | None, list[str] | None]:
    """Class numbers and names when every file lies in one folder below the root; none in any other arrangement."""
    if not all(len(file.parts) == 2 for file in files):
        return None, None
    classes = sorted({file.parts[0] for file in files})
    return [classes.index(file.parts[0]) for file in files], classes


def tiles_of(path: Path, options: SourceOptions) -> list[Tile]:
    """Every whole tile of a file that has data, in raster order; a file smaller than a tile is one by itself.

    Raises:
        DataError: no tile has data.
    """
    with opened(path) as scene:
        tiles = grid_of(path, scene.height, scene.width, options)
        if len(tiles) == 1:
            return tiles
        kept = [tile for tile in tiles if has_data(scene, tile, options.nodata)]
    if not kept:
        raise DataError(
            f"{path}: none of its {len(tiles)} tiles has data in {LEAST_DATA:.0%} of its pixels; leave it out, or check ::nodata"
        )
    return kept


def grid_of(path: Path, height: int, width: int, options: SourceOptions) -> list[Tile]:
    """Every whole tile of a file of that size."""
    side = options.tile or (TILE if max(height, width) > LARGEST_WHOLE else max(height, width))
    step = options.step or side
    high, wide = min(side, height), min(side, width)
    return [Tile(path, top, left, high, wide) for top in range(0, height - high + 1, step) for left in range(0, width - wide + 1, step)]


def has_data(scene: Any, tile: Tile, nodata: float | None) -> bool:
    """Whether enough pixels of a tile have data, by a coarse look at its first channel."""
    from rasterio.windows import Window

    window = Window(tile.left, tile.top, tile.width, tile.height)
    shape = -(-tile.height // COARSE), -(-tile.width // COARSE)
    values = scene.read(1, window=window, out_shape=shape)
    seen = (scene.dataset_mask(window=window, out_shape=shape) > 0) & np.isfinite(values)
    if nodata is not None:
        seen &= values != nodata
    return bool(seen.mean() >= LEAST_DATA)


def read_tile(tile: Tile, options: SourceOptions) -> np.ndarray:
    """(C, height, width) amplitude; what the file itself declares to be no data becomes NaN."""
    from rasterio.windows import Window

    with opened(tile.path) as scene:
        values = scene.read(window=Window(tile.left, tile.top, tile.width, tile.height))
        declared = scene.nodata
        seen = scene.dataset_mask(window=Window(tile.left, tile.top, tile.width, tile.height)) > 0
    nodata = options.nodata if options.nodata is not None else declared
    made = amplitude(values, options.quantity, None if nodata is None else float(nodata))
    return made if seen.all() else np.where(seen, made.astype(np.float32), np.float32(np.nan))


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A rasterio dataset; DataError when the library is missing or the file is damaged."""
    try:
        import rasterio
        from rasterio.errors import NotGeoreferencedWarning, RasterioError
    except ImportError as error:
        raise DataError(
            f'{path}: TIFF scenes are read with rasterio, which can\'t be loaded: pip install "jepakit-sar[geotiff]"'
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # chips have no place on the earth
            with rasterio.open(path) as scene:
                yield scene
    except RasterioError as error:
        raise DataError(f"{path}: not a readable TIFF file ({error}); replace or remove it") from error
