"""From a path to a reader: a folder of clouds, one cloud, or an npz file of many."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jepakit.sdk import DataError
from jepakit_modalities.image.digest import digest
from jepakit_modalities.image.listing import Listing
from jepakit_modalities.image.npz import listing_of, load
from jepakit_modalities.image.sources import printable
from jepakit_modalities.pointcloud.cloud import Cloud, cleaned
from jepakit_modalities.pointcloud.decode import DECODERS, decode_file, numbered
from jepakit_modalities.pointcloud.reader import PointReader

EXPECTED = "a folder of clouds, a file ending in " + ", ".join(sorted(DECODERS)) + ", or .npz"


def open_path(path: Path) -> PointReader:
    """A reader of whatever lies at `path`."""
    try:
        if path.is_dir():
            return open_folder(path)
        if not path.is_file():
            raise DataError(f"no such file or folder: {path}; expected {EXPECTED}")
        if path.suffix.lower() == ".npz":
            return open_npz(path)
        if path.suffix.lower() in DECODERS:
            return PointReader(Listing([path.name], digest=digest([path], [path.name])), lambda index: decode_file(path), origin=str(path))
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror or error})") from error
    raise DataError(f"{path}: can't tell what '{path.suffix}' is; expected {EXPECTED}")


def open_folder(folder: Path) -> PointReader:
    """All clouds below a folder, sorted by name, hidden ones left out; folder/class/cloud is labelled by its folder."""
    inside = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in DECODERS and path.is_file())
    inside = [path for path in inside if not any(part.startswith(".") for part in path.parts)]
    if not inside:
        raise DataError(f"{folder}: holds no cloud; expected {EXPECTED}")
    files, ids = [folder / path for path in inside], [printable(path) for path in inside]
    classes = sorted({path.parts[0] for path in inside}) if all(len(path.parts) == 2 for path in inside) else None
    labels = None if classes is None else [classes.index(path.parts[0]) for path in inside]
    listing = Listing(ids, labels, class_names=classes, digest=digest(files, ids))
    return PointReader(listing, lambda index: decode_file(files[index]), origin=str(folder))


def open_npz(path: Path) -> PointReader:
    """Arrays x [N, P, 3 + F], and y, group, class_names, id, scale (x times scale is the coordinate) as for images.

    Clouds of different sizes lie end to end: x [sum of P, 3 + F], and `count` [N] says how many points each has.
    """
    arrays = load(path, also=("count",))
    x = arrays.get("x")
    if x is None or x.ndim not in (2, 3) or x.shape[-1] < 3 or x.dtype.kind not in "iuf" or (x.ndim == 2) != ("count" in arrays):
        found = "no x" if x is None else f"x is a {x.dtype} array of shape {x.shape}, {'with' if 'count' in arrays else 'without'} count"
        raise DataError(f"{path}: {found}; expected x [N, P, 3 or more], or x [all points, 3 or more] with count [N]")
    ends = np.cumsum(arrays["count"]) if "count" in arrays else None
    if ends is not None and (arrays["count"].min(initial=0) < 0 or not len(ends) or ends[-1] != len(x)):
        raise DataError(f"{path}: count adds up to {ends[-1] if len(ends) else 0} points, x holds {len(x)}; they must agree")
    scale = float(arrays["scale"].item()) if "scale" in arrays else 1.0
    columns = numbered(x.shape[-1])

    def fetch(index: int) -> Cloud:
        part = x[index] if ends is None else x[ends[index] - arrays["count"][index] : ends[index]]
        scaled = np.concatenate([part[:, :3] * np.float64(scale), part[:, 3:]], axis=1)
        return cleaned(scaled, columns, f"{path}: x[{index}]")

    entries = arrays if ends is None else {**arrays, "x": arrays["count"]}
    return PointReader(listing_of(entries, path), fetch, origin=str(path))
