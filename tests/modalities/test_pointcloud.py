"""Point clouds: any format, any number of points, and clear words for those that hold none."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepakit.contracts import Sample
from jepakit.errors import DataError
from jepakit_modalities.pointcloud.cloud import FAR, MOST_POINTS, cleaned
from jepakit_modalities.pointcloud.decode import decode_file, on_surface
from jepakit_modalities.pointcloud.modality import PointCloudModality
from jepakit_modalities.pointcloud.sampling import farthest, neighbours, thinned, voxel_subset
from jepakit_modalities.pointcloud.views import CloudView, CloudViewSettings


def rng(key: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=key))


def cloud(count: int, key: int = 0, width: int = 3) -> np.ndarray:
    return rng(key).normal(size=(count, width)).astype(np.float32)


@settings(deadline=None, max_examples=25)
@given(count=st.integers(1, 80), chosen=st.integers(1, 40), key=st.integers(0, 99))
def test_each_farthest_point_is_the_farthest(count: int, chosen: int, key: int) -> None:
    pytest.importorskip("fpsample")
    points = cloud(count, key)
    found = farthest(points, chosen, 0)
    assert len(found) == len(set(found.tolist())) == min(chosen, count)
    if count <= chosen:
        return
    apart = np.linalg.norm(points[:, None] - points[found][None], axis=-1)
    for step in range(1, len(found)):
        reach = apart[:, :step].min(axis=1)
        assert reach[found[step]] == pytest.approx(reach.max(), rel=1e-5)


@settings(deadline=None, max_examples=25)
@given(count=st.integers(1, 60), near=st.integers(1, 20), key=st.integers(0, 99))
def test_neighbours_are_the_nearest(count: int, near: int, key: int) -> None:
    points, centres = cloud(count, key), cloud(5, key + 100)
    found = neighbours(points, centres, near)
    assert found.shape == (5, near)
    apart = np.linalg.norm(centres[:, None] - points[None], axis=-1)
    have = min(near, count)
    np.testing.assert_allclose(np.take_along_axis(apart, found[:, :have], axis=1), np.sort(apart, axis=1)[:, :have], rtol=1e-5)
    assert (found[:, have:] == found[:, :1]).all()


def test_a_voxel_keeps_one_point() -> None:
    points = rng().uniform(0, 1, size=(2000, 3))
    kept = points[voxel_subset(points, 0.25)]
    cells = np.floor((kept - points.min(axis=0)) / 0.25).astype(int)
    assert len(np.unique(cells, axis=0)) == len(cells) == 64


@pytest.mark.parametrize("shape", ["even", "one far away", "all in one place"])
def test_thinning_keeps_the_bound(shape: str) -> None:
    points = rng().uniform(0, 1, size=(50_000, 3))
    if shape == "one far away":
        points[7] = 1e6
    elif shape == "all in one place":
        points[:] = 0.5
    kept = thinned(points, 1000)
    assert 1 <= len(kept) <= 1000
    assert len(np.unique(kept)) == len(kept)


def test_huge_clouds_are_thinned_and_far_ones_moved(tmp_path: Path) -> None:
    sweep = np.zeros((2 * MOST_POINTS, 4), dtype="<f4")
    sweep[:, :3] = rng().uniform(-50, 50, size=(len(sweep), 3))
    sweep.tofile(tmp_path / "sweep.bin")
    assert len(decode_file(tmp_path / "sweep.bin").points) <= MOST_POINTS
    place = np.array([5e5, 4.2e6, 120.0]) + rng().uniform(0, 1, size=(10, 3))
    found = cleaned(place, ("x", "y", "z"), "survey")
    assert max(found.origin) > FAR
    np.testing.assert_allclose(found.points + np.array(found.origin), place, atol=1e-6)  # millimetres survive float32


def test_returns_without_a_place_are_dropped() -> None:
    points = cloud(6, width=4)
    points[1, 0], points[2, 2], points[3, 3] = np.nan, np.inf, np.nan
    found = cleaned(points, ("x", "y", "z", "intensity"), "sweep").points
    np.testing.assert_array_equal(found[:, :3], points[[0, 3, 4, 5], :3])
    assert found[1, 3] == 0


def test_ten_million_points_are_never_whole_in_memory(tmp_path: Path) -> None:
    count = 10_000_000
    with (tmp_path / "huge.bin").open("wb") as file:
        file.truncate(16 * count)
    points = np.memmap(tmp_path / "huge.bin", dtype="<f4", mode="r+").reshape(-1, 4)
    points[::1000, :3] = rng().uniform(-50, 50, size=(count // 1000, 3))
    points[5, 0] = np.nan
    points.flush()
    tracemalloc.start()
    found = decode_file(tmp_path / "huge.bin").points
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 500 < len(found) <= MOST_POINTS  # every 19th is looked at, most of them lie in one place
    assert peak < 16 * count  # the file itself


def test_survey_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thinning does not depend on where the parts end."""
    laspy = pytest.importorskip("laspy")
    place = rng().uniform(0, 50, size=(1000, 3))
    las = laspy.LasData(laspy.LasHeader(point_format=0, version="1.2"))
    las.header.scales = np.full(3, 0.001)
    las.x, las.y, las.z = place.T
    las.write(tmp_path / "a.las")
    monkeypatch.setattr("jepakit_modalities.pointcloud.decode.MOST_POINTS", 30)
    whole = decode_file(tmp_path / "a.las").points
    monkeypatch.setattr("jepakit_modalities.pointcloud.decode.LAS_CHUNK", 17)
    np.testing.assert_array_equal(decode_file(tmp_path / "a.las").points, whole)
    np.testing.assert_allclose(whole[:, :3], place[::8], atol=2e-3)


@pytest.mark.parametrize("values", [np.zeros((0, 3)), np.full((4, 3), np.nan), np.zeros((4, 2)), np.zeros(4), np.array([["a", "b", "c"]])])
def test_what_holds_no_cloud_is_named(values: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"^file\.npy"):
        cleaned(values, ("x", "y", "z"), "file.npy")


@pytest.mark.parametrize(("name", "data", "said"), [("a.bin", b"", "no point"), ("a.bin", b"12345", "5 bytes"), ("a.npy", b"abc", "npy")])
def test_damaged_files_are_named(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=said):
        PointCloudModality().open(str(tmp_path), "train").read(0)


def test_formats_without_open3d_never_load_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open3d", None)
    np.save(tmp_path / "a.npy", cloud(5))
    assert PointCloudModality().open(str(tmp_path), "train").read(0).streams["main"].shape == (5, 3)
    (tmp_path / "b.ply").write_text("ply")
    with pytest.raises(DataError, match=r"jepakit\[pointcloud\]"):
        decode_file(tmp_path / "b.ply")


def test_missing_system_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b.ply").write_text("ply")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "open3d.py").write_text("raise OSError('libusb-1.0.so.0: cannot open shared object file')")
    monkeypatch.setitem(sys.modules, "open3d", None)
    monkeypatch.delitem(sys.modules, "open3d")
    monkeypatch.syspath_prepend(str(tmp_path / "broken"))
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    with pytest.raises(DataError, match=r"apt install libusb-1\.0-0"):
        decode_file(tmp_path / "b.ply")


def test_npz_of_clouds_of_different_sizes(tmp_path: Path) -> None:
    parts = [cloud(count, count, width=4) for count in (3, 1, 5)]
    np.savez(tmp_path / "set.npz", x=np.concatenate(parts), count=np.array([3, 1, 5]), y=np.array([0, 1, 1]))
    reader = PointCloudModality().open(str(tmp_path / "set.npz"), "train")
    for index, part in enumerate(parts):
        np.testing.assert_array_equal(reader.read(index).streams["main"], part)
    assert reader.read(2).label == 1
    np.savez(tmp_path / "bad.npz", x=np.concatenate(parts), count=np.array([3, 1, 4]))
    with pytest.raises(DataError, match="adds up to 8"):
        PointCloudModality().open(str(tmp_path / "bad.npz"), "train")


def test_columns_must_agree(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", cloud(5))
    np.save(tmp_path / "b.npy", cloud(5, width=4))
    reader = PointCloudModality().open(str(tmp_path), "train")
    with pytest.raises(DataError, match=r"b\.npy has columns"):
        reader.read(1)


def test_mesh_points_lie_on_the_mesh() -> None:
    corners = np.array([[0.0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 0, 5]])
    found = on_surface(corners, np.array([[0, 1, 2]]))
    assert found.shape == (4096, 3)
    assert (found[:, 2] == 0).all()
    assert (found.min(axis=0) >= 0).all()
    assert (found[:, :2].sum(axis=1) <= 2 + 1e-9).all()
    np.testing.assert_allclose(found[:, :2].mean(axis=0), [2 / 3, 2 / 3], atol=0.05)  # the centroid: even over the surface


def test_normals_turn_with_the_points() -> None:
    """Normals of a plane stay at right angles to it, whatever the stretch."""
    points = np.concatenate([rng().uniform(-1, 1, size=(50, 2)), np.zeros((50, 1))], axis=1)
    tilt = np.array([[1.0, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])
    rows = np.concatenate([points @ tilt.T, np.tile(np.array([0.0, 0, 1]) @ tilt.T, (50, 1))], axis=1).astype(np.float32)
    columns = ("x", "y", "z", "normal x", "normal y", "normal z")
    view = CloudView(CloudViewSettings(stretch=(0.5, 2.0)))
    seen = view(Sample({"main": rows}, id="plane", meta={"columns": columns}), rng(3), 0.0).streams["main"]
    assert not np.allclose(seen[:, :3], rows[:, :3], atol=0.05)
    np.testing.assert_allclose((seen[1:, :3] - seen[:1, :3]) @ seen[0, 3:], 0.0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(seen[:, 3:], axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("suffix", [".ply", ".pcd", ".xyz"])
def test_open3d_formats(tmp_path: Path, suffix: str) -> None:
    open3d = pytest.importorskip("open3d")
    points = cloud(20)
    made = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points.astype(np.float64)))
    assert open3d.io.write_point_cloud(str(tmp_path / f"a{suffix}"), made)
    np.testing.assert_allclose(decode_file(tmp_path / f"a{suffix}").points, points, atol=1e-4)


def test_off_mesh(tmp_path: Path) -> None:
    pytest.importorskip("open3d")
    (tmp_path / "a.off").write_text("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n")
    assert decode_file(tmp_path / "a.off").points.shape == (4096, 3)


def test_las(tmp_path: Path) -> None:
    laspy = pytest.importorskip("laspy")
    place = np.array([5e5, 4e6, 10.0]) + rng().uniform(0, 50, size=(30, 3))
    las = laspy.LasData(laspy.LasHeader(point_format=3, version="1.2"))
    las.header.offsets, las.header.scales = np.floor(place.min(axis=0)), np.full(3, 0.001)
    las.x, las.y, las.z, las.intensity = place[:, 0], place[:, 1], place[:, 2], np.full(30, 65535)
    las.write(tmp_path / "a.las")
    found = decode_file(tmp_path / "a.las")
    assert found.columns == ("x", "y", "z", "intensity", "red", "green", "blue")
    np.testing.assert_allclose(found.points[:, :3] + np.array(found.origin), place, atol=2e-3)
    assert (found.points[:, 3] == 1).all()
