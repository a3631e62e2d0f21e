"""One file → one sweep: clean points and, where asked for, a class each. KITTI .bin, .npy and .npz need numpy only; .las and .laz laspy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jepakit.sdk import DataError, ReadBudget
from jepakit_modalities.image.npz import load
from jepakit_modalities.pointcloud.cloud import cleaned
from jepakit_modalities.pointcloud.decode import decode_bin, decode_npy

BUDGET = ReadBudget()
COLUMNS = ("x", "y", "z", "intensity")
UNKNOWN, BACKGROUND, IGNORED = 0, 1, 10
"""Classes that stand for "not labelled", "no object" and "don't care" in the LAS files that `labels=object` is for."""


@dataclass(frozen=True)
class Sweep:
    """points: (P, 4) float32, finite, metres from the sensor. label: (P,) int64 as stored in the file, or None."""

    points: np.ndarray
    label: np.ndarray | None = None


def decode(path: Path) -> Sweep:
    """The sweep in a file, told apart by its suffix. DataError for a damaged file, and for one without a point that came back."""
    try:
        BUDGET.check_file(path)
        return DECODERS[path.suffix.lower()](path)
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror or error})") from error


def of_columns(values: np.ndarray, label: np.ndarray | None, name: str) -> Sweep:
    """From an array (P, 3 or more): intensity is the fourth column, 0 where there is none."""
    if values.ndim != 2 or values.shape[1] < 3:
        raise DataError(f"{name}: an array of shape {values.shape}; expected (points, 4): x, y, z, intensity")
    intensity = values[:, 3:4] if values.shape[1] > 3 else np.zeros((len(values), 1))
    numbers = np.zeros((len(values), 1)) if label is None else label.reshape(-1, 1)
    cloud = cleaned(np.concatenate([values[:, :3], intensity, numbers], axis=1, dtype=np.float64), (*COLUMNS, "label"), name)
    return Sweep(np.ascontiguousarray(cloud.points[:, :4]), None if label is None else cloud.points[:, 4].astype(np.int64))


def of_bin(path: Path) -> Sweep:
    """KITTI: x, y, z, reflectance."""
    return Sweep(decode_bin(path).points)


def of_npy(path: Path) -> Sweep:
    """(P, 3 or more)."""
    return of_columns(decode_npy(path).points, None, str(path))


def of_npz(path: Path) -> Sweep:
    """One sweep: x of shape (P, 3 or more), and y of shape (P,) with a class a point if there is one."""
    arrays = load(path)
    if "x" not in arrays or arrays["x"].dtype.kind not in "iuf":
        raise DataError(f"{path}: no array x of numbers; expected x of shape (points, 4), and y of shape (points,) if there are classes")
    label = arrays.get("y")
    if label is not None and (label.shape != arrays["x"].shape[:1] or label.dtype.kind not in "iu"):
        raise DataError(f"{path}: y is {label.dtype} of shape {label.shape}; expected a whole number for each of {len(arrays['x'])} points")
    return of_columns(arrays["x"], label, str(path))


def of_las(path: Path) -> Sweep:
    """LAS or LAZ: intensity as stored, classification as label."""
    try:
        import laspy
    except ImportError as error:
        raise DataError(f'{path}: LAS files need laspy, which is not installed: pip install "jepakit-lidar[las]"') from error
    try:
        with laspy.open(path) as file:
            BUDGET.check_samples(str(path), file.header.point_count)
            las = file.read()
        place = np.stack([np.asarray(las.x), np.asarray(las.y), np.asarray(las.z), np.asarray(las.intensity, dtype=np.float64)], axis=1)
        label = np.asarray(las.classification, dtype=np.int64)
    except (laspy.errors.LaspyException, ValueError, EOFError, AttributeError) as error:
        raise DataError(f"{path}: not a readable LAS or LAZ file ({error}); LAZ needs the package lazrs") from error
    return of_columns(place, label, str(path))


def wanted(label: np.ndarray, kind: str) -> np.ndarray:
    """Stored classes as `SweepOptions.labels` asks for them, -1 = unknown."""
    if kind == "class":
        return np.where(label == UNKNOWN, -1, label)
    return np.where((label == UNKNOWN) | (label == IGNORED), -1, (label > BACKGROUND).astype(np.int64))


DECODERS: dict[str, Callable[[Path], Sweep]] = {".laz": of_las, ".las": of_las, ".npz": of_npz, ".npy": of_npy, ".bin": of_bin}
"""In the order in which files of one name are preferred: the richer format first."""
