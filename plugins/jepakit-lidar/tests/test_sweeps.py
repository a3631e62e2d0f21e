"""Formats, tiles and damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from jepakit_lidar.modality import LidarModality

from jepakit.sdk import DataError


def sweep(count: int = 400, seed: int = 0) -> np.ndarray:
    rng = np.random.Generator(np.random.Philox(key=seed))
    return np.column_stack([rng.uniform(-40, 40, (count, 2)), rng.uniform(-2, 1, count), rng.random(count)]).astype(np.float32)


def test_tiles_hold_every_point_once(tmp_path: Path) -> None:
    points = sweep()
    points.tofile(tmp_path / "a.bin")
    reader = LidarModality().open(f"{tmp_path}::tile=16,reach=48", "train")
    found = [reader.read(index) for index in range(len(reader))]
    rows = np.concatenate([sample.meta["rows"] for sample in found])
    assert sorted(rows.tolist()) == list(range(len(points)))
    for sample in found:
        left, low, side = sample.meta["square"]
        place = sample.streams["main"][:, :2]
        assert (place >= (left, low)).all()
        assert (place <= (left + side, low + side)).all()
        assert sample.group == "a"


def test_points_beyond_reach_are_left_out(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[1, 1, 0, 0], [70, 1, 0, 0]], dtype=np.float32))
    reader = LidarModality().open(f"{tmp_path}::tile=16,reach=48", "train")
    assert len(reader) == 1
    assert len(reader.read(0).streams["main"]) == 1


def test_one_sweep_in_two_formats_is_read_once(tmp_path: Path) -> None:
    points = sweep()
    points.tofile(tmp_path / "a.bin")
    np.savez(tmp_path / "a.npz", x=points, y=np.ones(len(points), dtype=np.int64))
    reader = LidarModality().open(f"{tmp_path}::labels=class", "train")
    assert reader.spec()["sweeps"] == 1
    assert (reader.read(0).label == 1).all()


def test_classes_become_objects(tmp_path: Path) -> None:
    points = np.tile(np.array([[1, 1, 0, 0]], dtype=np.float32), (5, 1))
    np.savez(tmp_path / "a.npz", x=points, y=np.array([0, 1, 2, 9, 10]))
    assert LidarModality().open(f"{tmp_path}::labels=object", "all").read(0).label.tolist() == [-1, 0, 1, 1, -1]
    assert LidarModality().open(f"{tmp_path}::labels=class", "all").read(0).label.tolist() == [-1, 1, 2, 9, 10]


def test_returns_without_a_place_are_dropped_with_their_class(tmp_path: Path) -> None:
    points = np.array([[1, 1, 0, 0], [np.nan, 1, 0, 0], [2, 1, 0, np.nan]], dtype=np.float32)
    np.savez(tmp_path / "a.npz", x=points, y=np.array([1, 2, 3]))
    sample = LidarModality().open(f"{tmp_path}::labels=class", "all").read(0)
    assert sample.label.tolist() == [1, 3]
    assert sample.streams["main"].tolist() == [[1, 1, 0, 0], [2, 1, 0, 0]]


def test_las_brings_intensity_and_classes(tmp_path: Path) -> None:
    laspy = pytest.importorskip("laspy")
    las = laspy.create(point_format=6)
    las.x, las.y, las.z = [1.5, 2.5], [-1.25, 3.0], [0.5, 0.25]
    las.intensity, las.classification = [7, 99], [1, 4]
    las.write(tmp_path / "a.las")
    reader = LidarModality().open(f"{tmp_path / 'a.las'}::labels=object", "all")
    found = {tuple(row): int(label) for index in range(len(reader)) for row, label in zip(*parts(reader.read(index)))}
    assert found == {(1.5, -1.25, 0.5, 7.0): 0, (2.5, 3.0, 0.25, 99.0): 1}


def parts(sample: object) -> tuple[list[list[float]], list[int]]:
    return sample.streams["main"].round(3).tolist(), sample.label.tolist()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.bin", b"", "holds no point"),
        ("a.bin", b"1234567", "no whole number of points"),
        ("a.npz", b"PK\x03\x04 cut off", "not a plain .npz"),
        ("a.npy", b"\x93NUMPY", "not a plain .npy"),
        ("a.laz", b"LASF cut off", "not a readable LAS"),
        ("a.bin", np.full((3, 4), np.nan, dtype="<f4").tobytes(), "none with finite"),
        ("a.bin", np.full((3, 4), 900, dtype="<f4").tobytes(), "within 51.2 m"),
        ("a.txt", b"1 2 3", "holds no sweep"),
    ],
)
def test_what_is_no_sweep_is_named(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    if name.endswith(".laz"):
        pytest.importorskip("laspy")
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=said):
        LidarModality().open(str(tmp_path), "train")


@pytest.mark.parametrize(
    ("query", "said"), [("size=2", "size"), ("tile=0", "tile"), ("only=b*", "named b"), ("labels=class", "no file has")]
)
def test_wrong_options_are_named(tmp_path: Path, query: str, said: str) -> None:
    sweep().tofile(tmp_path / "a.bin")
    with pytest.raises(DataError, match=said):
        LidarModality().open(f"{tmp_path}::{query}", "train")


def test_a_cell_has_the_class_of_most_of_its_points(tmp_path: Path) -> None:
    from jepakit_lidar.tokenizer import CellSettings, CellTokenizer

    points = np.array([[0.1, 0.1, 0, 0], [0.2, 0.2, 0, 0], [0.3, 0.3, 0, 0], [5, 5, 0, 0]], dtype=np.float32)
    np.savez(tmp_path / "a.npz", x=points, y=np.array([2, 1, 1, 0]))
    reader = LidarModality().open(f"{tmp_path}::labels=object", "all")
    sample = reader.read(0)
    layout = CellTokenizer(CellSettings(cell=1.0), width=8, spec=reader.spec()).layout(sample, "main")
    found = LidarModality().token_labels(sample, layout)
    assert found is not None
    assert found.tolist() == [0, -1]
