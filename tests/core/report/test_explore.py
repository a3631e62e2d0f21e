"""The map that one can explore: its data, its sheet of pictures, its policy, and (slow) what a browser makes of it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jepakit.report.artifacts import EMBEDDING, EmbeddingMap, save_embedding
from jepakit.report.explore import TILE, as_script_text, explorable, pictures_in_one, script
from jepakit.report.page import render, write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
COUNT = 30


def made_run(run: Path, name: str = "plain") -> Path:
    """A run folder with nothing in it but an embedding map of two groups, with pictures."""
    rng = np.random.default_rng(0)
    y = np.arange(COUNT) % 2
    z = rng.normal(size=(COUNT, 8)).astype(np.float32) + 20 * y[:, None]
    pictures = np.full((COUNT, 20, 10, 3), 255, np.uint8) * y[:, None, None, None].astype(np.uint8)
    save_embedding(run, z, y, [f"{name}/{row}" for row in range(COUNT)], pictures, [name, "other"])
    (run / "config.yaml").write_text("recipe: r\n")
    return run


def data_of(page: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="map-data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, object] = json.loads(found[1])
    return data


def test_the_page_holds_every_point_with_its_nearest_by_the_whole_embedding(tmp_path: Path) -> None:
    data = data_of(render(made_run(tmp_path)))
    assert isinstance(data["points"], list)
    assert isinstance(data["near"], list)
    assert (len(data["points"]), len(data["near"])) == (COUNT, COUNT)
    assert all(len(row) == 5 and place not in row for place, row in enumerate(data["near"]))
    assert data["names"] == {"0": "plain", "1": "other"}
    assert all(other % 2 == 1 for other in data["near"][1])


def test_only_our_own_script_may_run_and_text_cannot_leave_its_place(tmp_path: Path) -> None:
    page = render(made_run(tmp_path, "</script><script>alert(1)</script>"))
    text, digest = script()
    assert digest == f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
    assert f"script-src '{digest}'" in page
    assert page.count("<script") == 2
    assert f"<script>{text}</script>" in page
    assert data_of(page)["names"] == {"0": "</script><script>alert(1)</script>", "1": "other"}
    assert not set("<>&") & set(as_script_text({"a": "<&>"}))


def test_pictures_stand_in_rows_and_keep_their_proportions() -> None:
    pictures = np.zeros((5, 20, 10, 3), np.uint8)
    pictures[3] = 200
    uri, columns = pictures_in_one(pictures)
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))
    assert (columns, sheet.shape) == (3, (2 * TILE, 3 * TILE, 3))
    assert sheet[TILE + TILE // 2, TILE // 2].mean() == pytest.approx(200, abs=3)  # number 3: second row, first column
    assert sheet[TILE + TILE // 2, 2].mean() > 240  # beside the narrow picture the sheet stays white


def test_samples_without_labels_and_pictures_can_be_explored_too() -> None:
    z = np.eye(4, dtype=np.float32)
    found = explorable(EmbeddingMap(z, ("a", "b", "c", "d")), z[:, :2], np.array([[1], [0], [3], [2]]))
    data = json.loads(found["data"])
    assert (found["pictures"], data["sprite"], data["labels"]) == (False, None, [-1] * 4)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
def test_a_browser_runs_the_script_and_draws_the_points(tmp_path: Path) -> None:
    assert CHROMIUM is not None
    page = write_report(made_run(tmp_path)).resolve()
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,2600", "--virtual-time-budget=3000"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={tmp_path / 'page.png'}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    assert re.search(r'<div id="map-box">', done.stdout), "the script did not run: the box is still hidden"
    assert re.search(r'id="map-drawn"[^>]*hidden', done.stdout)
    pixels = np.asarray(Image.open(tmp_path / "page.png").convert("RGB")).astype(int)
    for colour in ("#1f77b4", "#ff7f0e"):  # of the two classes
        wanted = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)])
        assert (np.abs(pixels - wanted).max(-1) < 12).sum() > 15 * 10


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
@pytest.mark.parametrize("pictures", [True, False])
def test_pointing_at_a_sample_shows_it_with_its_neighbours(tmp_path: Path, pictures: bool) -> None:
    assert CHROMIUM is not None
    page = render(made_run(tmp_path) if pictures else without_pictures(made_run(tmp_path)))
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)  # else the script that moves the pointer may not run
    move = """<script>setTimeout(() => {
      const canvas = document.getElementById("map-canvas"), edge = canvas.getBoundingClientRect();
      for (let x = 0; x < canvas.clientWidth && document.getElementById("map-tip").hidden; x += 8)
        for (let y = 0; y < canvas.clientHeight && document.getElementById("map-tip").hidden; y += 8)
          canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: edge.left + x, clientY: edge.top + y }));
    }, 300)</script></body>"""
    (tmp_path / "page.html").write_text(page.replace("</body>", move), encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,2600", "--virtual-time-budget=3000"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", (tmp_path / "page.html").as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True).stdout
    tip = re.search(r'<div id="map-tip"(?! hidden).*?<div class="map-near">(.*?)</div>', shown, re.DOTALL)
    assert tip is not None, "nothing popped up"
    assert re.search(r"<strong[^>]*>(plain|other)</strong><span[^>]*>plain/\d+</span>", tip[0])
    assert tip[1].count("<span") == 5
    assert ("map-tile large" in tip[0]) == pictures


def without_pictures(run: Path) -> Path:
    """The same run, of a kind of data that has none."""
    with np.load(run / EMBEDDING) as kept:
        save_embedding(run, kept["z"], kept["y"], kept["ids"].tolist(), None, kept["class_names"].tolist())
    return run
