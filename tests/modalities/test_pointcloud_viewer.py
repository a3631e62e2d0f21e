"""`jepakit view`: what is left of a cloud, its colours, files, and one sentence where there is no screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from jepakit.errors import DataError
from jepakit_modalities.pointcloud.decode import decode_file
from jepakit_modalities.pointcloud.viewer import HIGH, LOW, colours, view


@pytest.fixture
def cloud(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "a.npy", rng.normal(size=(500, 3)).astype(np.float32))
    return tmp_path / "a.npy"


def run(*words: object) -> str:
    result = CliRunner().invoke(view, [str(word) for word in words], catch_exceptions=True)
    if isinstance(result.exception, DataError):
        return str(result.exception)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_picture_needs_no_screen_and_no_open3d(cloud: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "open3d", None)
    assert "500 of 500 points" in run(cloud, "--out", cloud.with_suffix(".png"))
    picture = np.asarray(Image.open(cloud.with_suffix(".png")))
    assert picture.shape == (160, 160, 3)
    assert (picture.sum(-1) > 0).sum() > 500


def test_thinned_clouds_are_written_and_read_again(cloud: Path) -> None:
    pytest.importorskip("open3d", exc_type=ImportError)
    assert "40 of 500 points" in run(cloud, "--voxel", 0.2, "--farthest", 40, "--out", cloud.with_suffix(".ply"))
    again = decode_file(cloud.with_suffix(".ply"))
    assert len(again.points) == 40
    assert {"red", "green", "blue"} <= set(again.columns)


def test_without_a_screen_one_sentence_says_what_to_do(cloud: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("open3d", exc_type=ImportError)
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert "add --out FILE.png" in run(cloud)


def test_without_open3d_a_picture_is_offered(cloud: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "open3d", None)
    said = run(cloud)
    assert said.startswith("view: a window needs open3d")
    assert said.endswith("--out FILE.png")


def test_what_cannot_be_shown_is_named(cloud: Path, tmp_path: Path) -> None:
    assert "--number 1, but it holds 1" in run(cloud, "--number", 1)
    assert "expected one of .png" in run(cloud, "--out", tmp_path / "a.gif")
    assert "can't be written" in run(cloud, "--out", tmp_path / "none" / "a.png")
    assert "too small for a cloud" in run(cloud, "--voxel", 1e-9)


def test_own_colours_come_first_then_intensity_then_height() -> None:
    points = np.zeros((50, 7), dtype=np.float32)
    points[:, 2], points[:, 3], points[:, 4:] = np.arange(50), np.arange(50)[::-1], 0.5
    columns = ("x", "y", "z", "intensity", "red", "green", "blue")
    assert (colours(points, columns) == 127.5).all()
    by_strength, by_height = colours(points[:, :4], columns[:4]), colours(points[:, :3], columns[:3])
    assert (by_strength[0], by_strength[-1]) == (pytest.approx(HIGH), pytest.approx(LOW))
    assert (by_height[0], by_height[-1]) == (pytest.approx(LOW), pytest.approx(HIGH))
