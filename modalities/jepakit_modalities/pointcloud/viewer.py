"""`jepakit view`: a point cloud in a window of open3d, or in a file where there is no screen."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import numpy as np

from jepakit.sdk import DataError, Sample
from jepakit_modalities.pointcloud.cloud import XYZ
from jepakit_modalities.pointcloud.decode import load_open3d
from jepakit_modalities.pointcloud.normal import unit_sphere
from jepakit_modalities.pointcloud.picture import drawn
from jepakit_modalities.pointcloud.sampling import farthest, voxel_subset
from jepakit_modalities.pointcloud.sources import open_path

RGB, NORMAL = ("red", "green", "blue"), ("normal x", "normal y", "normal z")
LOW, HIGH = np.array([40.0, 90.0, 200.0]), np.array([250.0, 210.0, 80.0])
"""Colours of the lowest and the highest point, and of the weakest and the strongest return."""
SUFFIXES = (".png", ".ply", ".pcd", ".xyz")


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--number", type=click.IntRange(0), default=0, show_default=True, help="Which cloud of a folder or an .npz file.")
@click.option("--voxel", type=click.FloatRange(0, min_open=True), help="One point a cube of this edge.")
@click.option("--farthest", "most", type=click.IntRange(1), help="This many points, each as far from the others as can be.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A .png picture, or a .ply, .pcd or .xyz file, not a window.")
def view(path: Path, number: int, voxel: float | None, most: int | None, out: Path | None) -> None:
    """Look at a cloud of PATH (a file or folder, as --data takes it), in its own colours, by intensity, or by height."""
    if out is not None and out.suffix.lower() not in SUFFIXES:
        raise DataError(f"--out {out}: can't tell what '{out.suffix}' is; expected one of {', '.join(SUFFIXES)}")
    reader = open_path(path.expanduser())
    if number >= len(reader):
        raise DataError(f"{path}: --number {number}, but it holds {len(reader)} clouds, counted from 0")
    sample = reader.read(number)
    points, columns = thin(sample, voxel, most), tuple(sample.meta["columns"])
    show(points, columns, f"{path} {sample.id}", out)
    click.echo(f"{sample.id}: {len(points)} of {len(sample.streams['main'])} points{'' if out is None else f', written to {out}'}")


def thin(sample: Sample, voxel: float | None, most: int | None) -> np.ndarray:
    """(p, 3 + F): the points that are left after one a cube, then the farthest ones."""
    points = sample.streams["main"]
    if voxel is not None:
        try:
            points = points[voxel_subset(points[:, :3], voxel)]
        except ValueError as error:
            raise DataError(f"{sample.id}: --voxel {voxel:g}: {error}") from error
    if most is not None and most < len(points):
        points = points[farthest(np.ascontiguousarray(points[:, :3]), most, 0)]
    return points


def colours(points: np.ndarray, columns: Sequence[str]) -> np.ndarray:
    """(P, 3) from 0 to 255: those of the file, else from the intensity, else from the height."""
    if set(RGB) <= set(columns):
        own = points[:, [columns.index(name) for name in RGB]].astype(np.float64)
        return np.asarray(np.clip(own * (255.0 if own.max(initial=0.0) <= 1.0 else 1.0), 0, 255))
    value = points[:, columns.index("intensity") if "intensity" in columns else XYZ.index("z")].astype(np.float64)
    low, high = np.quantile(value, (0.02, 0.98))
    share = np.clip((value - low) / max(high - low, 1e-9), 0, 1)[:, None]
    return np.asarray(LOW + share * (HIGH - LOW))


def show(points: np.ndarray, columns: Sequence[str], title: str, out: Path | None) -> None:
    """A window until it is closed, or a file. DataError where neither can be had."""
    painted = colours(points, columns)
    if out is not None and out.suffix.lower() == ".png":
        from PIL import Image

        try:
            Image.fromarray(drawn(unit_sphere(points[:, :3])[0], painted)).save(out)
        except OSError as error:
            raise DataError(f"{out}: can't be written ({error.strerror or error})") from error
        return
    open3d = library(out)
    cloud = as_open3d(open3d, points, columns, painted)
    with open3d.utility.VerbosityContextManager(open3d.utility.VerbosityLevel.Error):
        if out is not None and not open3d.io.write_point_cloud(str(out), cloud):
            raise DataError(f"{out}: can't be written; give a folder that exists and may be written to")
        if out is None and not opened(open3d, cloud, title):
            raise DataError("no window can be opened here; add --out FILE.png for a picture, or --out FILE.ply to look at it elsewhere")


def library(out: Path | None) -> ModuleType:
    """open3d; DataError that also says what needs none."""
    try:
        return load_open3d(out or Path("view"))
    except DataError as error:
        raise DataError(f"{error}. A picture needs no open3d: --out FILE.png") from error


def as_open3d(open3d: Any, points: np.ndarray, columns: Sequence[str], painted: np.ndarray) -> Any:
    """A cloud of open3d with colours, and normals where there are any."""
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points[:, :3].astype(np.float64)))
    cloud.colors = open3d.utility.Vector3dVector(painted / 255.0)
    if set(NORMAL) <= set(columns):
        cloud.normals = open3d.utility.Vector3dVector(points[:, [columns.index(name) for name in NORMAL]].astype(np.float64))
    return cloud


def opened(open3d: Any, cloud: Any, title: str) -> bool:
    """Whether a window could be opened; returns when it is closed. Without a screen open3d may open one that nobody can close."""
    if sys.platform.startswith("linux") and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        return False
    window = open3d.visualization.Visualizer()
    try:
        if not window.create_window(window_name=title):
            return False
        window.add_geometry(cloud)
        window.run()
        return True
    finally:
        window.destroy_window()
