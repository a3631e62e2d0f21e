"""One file → one cloud. KITTI .bin and .npy need numpy only; laspy and open3d are loaded when a file needs them."""

from __future__ import annotations

import ctypes.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from jepakit.sdk import DataError, ReadBudget
from jepakit_modalities.pointcloud.cloud import MOST_POINTS, XYZ, Cloud, cleaned
from jepakit_modalities.pointcloud.sampling import stride

BUDGET = ReadBudget()
KITTI = (*XYZ, "intensity")
LAS_CHUNK = 1_000_000
"""Points read at once."""
MESH_POINTS = 4096
"""Points drawn from the surface of a mesh."""
MISSING = 'needs open3d, which is not installed: pip install "jepakit[pointcloud]"'


def decode_file(path: Path) -> Cloud:
    """The cloud in a file, told apart by its suffix."""
    try:
        BUDGET.check_file(path)
        return DECODERS[path.suffix.lower()](path)
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror or error})") from error


def decode_bin(path: Path) -> Cloud:
    """KITTI: rows of x, y, z, intensity as little-endian float32. Mapped, so that a huge file is never whole in memory."""
    size = path.stat().st_size
    if size % 16:
        raise DataError(f"{path}: {size} bytes are no whole number of points; expected 4 numbers of 4 bytes a point, as KITTI stores them")
    if not size:
        raise DataError(f"{path}: holds no point; leave it out")
    return cleaned(np.memmap(path, dtype="<f4", mode="r").reshape(-1, 4), KITTI, str(path))


def decode_npy(path: Path) -> Cloud:
    """An array (P, 3 + F)."""
    try:
        values = np.load(path, allow_pickle=False, mmap_mode="r")
    except (ValueError, EOFError, SyntaxError, OverflowError) as error:
        raise DataError(f"{path}: not a plain .npy array ({error}); save it with numpy.save(..., allow_pickle=False)") from error
    return cleaned(values, numbered(values.shape[-1] if values.ndim == 2 else 3), str(path))


def numbered(width: int) -> tuple[str, ...]:
    """x, y, z and numbers for features whose names are not known."""
    return (*XYZ, *(f"feature {number}" for number in range(width - 3)))


def decode_las(path: Path) -> Cloud:
    """LAS or LAZ: x, y, z, intensity, and red, green, blue where the file has them; integers as shares of 65535."""
    try:
        import laspy
    except ImportError as error:
        raise DataError(f'{path}: LAS files need laspy, which is not installed: pip install "jepakit[pointcloud]"') from error
    try:
        with laspy.open(path) as file:
            BUDGET.check_samples(str(path), file.header.point_count)
            present = set(file.header.point_format.dimension_names)
            names = [name for name in ("intensity", "red", "green", "blue") if name in present]
            step = stride(file.header.point_count, MOST_POINTS)
            parts = [las_rows(chunk, names)[(-start) % step :: step] for start, chunk in las_chunks(file)]
    except (laspy.errors.LaspyException, ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: not a readable LAS or LAZ file ({error}); LAZ needs the package lazrs") from error
    return cleaned(np.concatenate(parts) if parts else np.zeros((0, 3)), (*XYZ, *names), str(path))


def las_chunks(file: Any) -> Iterator[tuple[int, Any]]:
    """Parts of an open LAS file with the number of their first point, so that a survey is never whole in memory."""
    start = 0
    for chunk in file.chunk_iterator(LAS_CHUNK):
        yield start, chunk
        start += len(chunk)


def las_rows(chunk: Any, names: list[str]) -> np.ndarray:
    """(n, 3 + F) float64: places in the unit of the file, features as shares of 65535."""
    features = [np.asarray(chunk[name], dtype=np.float64) / 65535 for name in names]
    return np.stack([np.asarray(chunk.x), np.asarray(chunk.y), np.asarray(chunk.z), *features], axis=1)


def decode_open3d(path: Path) -> Cloud:
    """PLY, PCD and XYZ clouds with colours and normals where there are any; 4,096 points on the surface of OBJ and OFF meshes."""
    open3d = load_open3d(path)
    with open3d.utility.VerbosityContextManager(open3d.utility.VerbosityLevel.Error):
        if path.suffix.lower() in (".obj", ".off"):
            mesh = open3d.io.read_triangle_mesh(str(path))
            points = on_surface(np.asarray(mesh.vertices), np.asarray(mesh.triangles))
            return cleaned(points, XYZ, str(path))
        cloud = open3d.io.read_point_cloud(str(path), remove_nan_points=False, remove_infinite_points=False)
    parts, columns = [np.asarray(cloud.points)], [*XYZ]
    for name, there, values in (("rgb", cloud.has_colors(), cloud.colors), ("normal", cloud.has_normals(), cloud.normals)):
        if there:
            parts.append(np.asarray(values))
            columns += ["red", "green", "blue"] if name == "rgb" else ["normal x", "normal y", "normal z"]
    if not len(parts[0]):
        raise DataError(f"{path}: no point can be read; the file is empty, damaged, or not what its suffix says")
    return cleaned(np.concatenate(parts, axis=1), columns, str(path))


def on_surface(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(4096, 3): points spread evenly over a mesh, the same every time; its vertices when it has no triangle."""
    if not len(triangles):
        return vertices.reshape(-1, 3)
    corners = vertices[triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    if not area.sum() > 0:
        return vertices
    rng = np.random.Generator(np.random.Philox(key=len(triangles)))
    chosen = corners[rng.choice(len(area), size=MESH_POINTS, p=area / area.sum())]
    root, share = np.sqrt(rng.random(MESH_POINTS)), rng.random(MESH_POINTS)
    weights = np.stack([1 - root, root * (1 - share), root * share], axis=1)  # even over a triangle (Osada et al. 2002, section 3.1)
    return np.einsum("nc,nck->nk", weights, chosen)


def load_open3d(path: Path) -> ModuleType:
    """The library; DataError that says what to install when it, or a system library of its, is missing."""
    try:
        import open3d
    except ModuleNotFoundError as error:
        raise DataError(
            f"{path}: {path.suffix or 'a window'} {MISSING}" + ("" if error.name == "open3d" else f" completely (no '{error.name}')")
        ) from error
    except (ImportError, OSError) as error:
        missing = "libusb-1.0-0" if ctypes.util.find_library("usb-1.0") is None else "libgl1 libgomp1"
        raise DataError(
            f"{path}: {path.suffix or 'a window'} needs open3d, which can't be loaded ({error}). On Debian and Ubuntu: "
            f"apt install {missing}; or convert the file to .npy, .bin or .las, which need no open3d"
        ) from error
    module: ModuleType = open3d
    return module


DECODERS: dict[str, Callable[[Path], Cloud]] = {
    ".bin": decode_bin,
    ".npy": decode_npy,
    ".las": decode_las,
    ".laz": decode_las,
    **dict.fromkeys((".ply", ".pcd", ".xyz", ".obj", ".off"), decode_open3d),
}
