"""Figures: what is drawn from which arrays. Pictures are decoded again; charts are searched for what they must show."""

from __future__ import annotations

import base64
import io
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from jepakit.report import figures
from jepakit.report.figures import Panel
from jepakit.report.table import Interval

LOSS = Panel("Loss", {"loss": "loss"}, "")


def svg(uri: str) -> str:
    kind, content = uri.split(",", 1)
    assert kind == "data:image/svg+xml;base64"
    text = base64.b64decode(content).decode("utf-8")
    ElementTree.fromstring(text)
    return text


def steps(**series: Any) -> list[dict[str, Any]]:
    return [{"step": step, **dict(zip(series, values))} for step, values in enumerate(zip(*series.values()), start=1)]


def test_curve_needs_at_least_one_finite_value() -> None:
    assert figures.curve([], LOSS) is None
    assert figures.curve(steps(loss=[float("nan"), None, "high"]), LOSS) is None
    assert figures.curve(steps(loss=[float("nan"), 1.0, None]), LOSS) is not None


@pytest.mark.parametrize("panel", figures.PANELS, ids=lambda panel: panel.title)
def test_every_panel_draws_all_its_series(panel: Panel) -> None:
    keys = [*panel.keys, *(panel.right or {})]
    text = svg(figures.curve(steps(**{key: np.linspace(0.1, 2, 60).tolist() for key in keys}), panel) or "")
    assert all(colour in text for colour in figures.PALETTE[: len(keys)])
    assert (figures.PALETTE[4] in text) == (panel.line_at is not None)


def test_long_curve_is_thinned() -> None:
    values = np.random.default_rng(np.random.Philox(key=1)).normal(size=20_000)
    short = len(svg(figures.curve(steps(loss=values.tolist()), LOSS) or ""))
    assert short < 200_000


def test_interval_plot_shows_every_row_in_its_own_colour() -> None:
    groups = {"linear $x_{1}$": {"encoder": Interval(0.5, 0.4, 0.6), "raw": Interval(0.2, 0.1, 0.3)}}
    text = svg(figures.interval_plot(groups, ("encoder", "untrained", "raw"), "accuracy", True))
    assert [colour in text for colour in figures.PALETTE[:3]] == [True, False, True]


def test_scatter_names_each_class_and_leaves_out_unlabelled_points() -> None:
    points = np.arange(10.0).reshape(5, 2)
    image, keys = figures.scatter(points, np.array([0, 0, 7, -1, 1]), ["cat", "<b>"])
    assert [key.name for key in keys] == ["cat", "<b>", "7"]
    text = svg(image)
    assert all(key.colour in text for key in keys)
    assert figures.FAINT in text


def test_scatter_of_many_classes_has_no_legend() -> None:
    count = figures.LEGEND_LIMIT + 1
    points = np.arange(2.0 * count).reshape(count, 2)
    assert figures.scatter(points, np.arange(count), [])[1] == []
    assert len(figures.scatter(points, np.arange(count) % figures.LEGEND_LIMIT, [])[1]) == figures.LEGEND_LIMIT


def test_picture_keeps_every_pixel() -> None:
    pixels = np.random.default_rng(np.random.Philox(key=3)).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    content = base64.b64decode(figures.picture(pixels).removeprefix("data:image/png;base64,"))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), pixels)
