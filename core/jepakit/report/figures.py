"""How a run is drawn: curves, intervals, the embedding map, pictures. Arrays in, data URIs out; nothing is read or written.

Charts are SVG (sharp at any size), photographs PNG. Figures are explicit `Figure` objects, so no plotting state is shared or changed.
Text and axes are dark on a transparent ground; the page inverts charts in dark mode.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from PIL import Image

from jepakit.report.table import Interval

INK = "#2b3440"
FAINT = "#c9d0d8"
PALETTE = ("#16697a", "#d1802b", "#8a93a0", "#7b5aa6", "#b23a48")
"""One colour a series or a row, told apart in print and by colour-blind readers."""
LEGEND_LIMIT = 20
"""More classes than this can't be told apart by colour, so the map has no legend."""
POINTS = 800
"""A curve is thinned to about this many points: more can't be seen at the drawn width."""


@dataclass(frozen=True)
class Panel:
    """One chart of the training curves.

    keys: fields of a step record and their names. right: the same, on a second axis. exact: drawn as it is, not smoothed.
    """

    title: str
    keys: Mapping[str, str]
    note: str
    right: Mapping[str, str] | None = None
    line_at: float | None = None
    from_zero: bool = False
    exact: bool = False


PANELS = (
    Panel("Loss", {"loss": "loss"}, "With a moving target it may fall, then rise: that alone is normal."),
    Panel(
        "Rank of the embeddings",
        {"rank": "centred", "rank_uncentred": "uncentred"},
        "How many directions are in use. A fall to a few is collapse; centred alone can miss it.",
    ),
    Panel(
        "Probe",
        {"probe": "linear probe"},
        "Cross-validated on labelled training samples. The checkpoint of its highest value is kept as best.",
        exact=True,
    ),
    Panel(
        "Spread per dimension",
        {"std": "targets", "prediction_std": "predictions", "context_std": "contexts"},
        "Close to zero means that all samples look the same to the encoder.",
    ),
    Panel(
        "Position ratio",
        {"position_ratio": "loss / position-only loss"},
        "Below 1: the prediction uses content. At 1 it knows only where a token is, not what is there.",
        line_at=1.0,
    ),
    Panel("Mean cosine", {"cosine": "cosine"}, "Between different samples. Near 1, all embeddings point the same way."),
    Panel("Gradient norm", {"grad_norm": "gradient norm"}, "Before clipping. Spikes that do not come down announce divergence."),
    Panel(
        "Schedules",
        {"lr": "learning rate"},
        "Pure functions of the step, planned to end together.",
        right={"ema_momentum": "EMA momentum"},
        exact=True,
    ),
    Panel("Throughput", {"samples_per_s": "samples/s"}, "Samples a second, as trained.", from_zero=True),
)


@dataclass(frozen=True)
class Key:
    """One entry of a legend. Legends are written by the page, whose fonts know every script; colour is a CSS colour."""

    name: str
    colour: str


def curve(steps: Sequence[Mapping[str, Any]], panel: Panel) -> str | None:
    """One training chart as a data URI, or None when no record has a finite value for it."""
    left = {name: series for key, name in panel.keys.items() if (series := _series(steps, key)) is not None}
    right = {name: series for key, name in (panel.right or {}).items() if (series := _series(steps, key)) is not None}
    if not left:
        return None
    figure, axes = _canvas(3.9, 2.3)
    for colour, (name, (x, y)) in zip(PALETTE, left.items()):
        _draw_series(axes, x, y, name, colour, exact=panel.exact)
    if panel.line_at is not None:
        axes.axhline(panel.line_at, color=PALETTE[4], linewidth=1, linestyle="--")
    if right:
        _draw_right_axis(axes, left, right)
    elif len(left) > 1:
        axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    if panel.from_zero:
        axes.set_ylim(bottom=0)
    axes.set_xlabel("step", fontsize=8, color=INK)
    return _svg(figure)


def interval_plot(groups: Mapping[str, Mapping[str, Interval]], rows: Sequence[str], metric: str, percent: bool) -> str:
    """Intervals of every row, grouped by probe and labels, from the top down. `groups`: name → row → interval."""
    height = len(rows) + 0.8  # lines a group, and the gap below it
    figure, axes = _canvas(7.2, 0.7 + 0.13 * len(groups) * height)
    for place, intervals in enumerate(groups.values()):
        for line, key in enumerate(row_keys(rows)):
            if key.name in intervals:
                kept, y = intervals[key.name], place * height + line
                axes.plot([kept.low, kept.high], [y, y], color=key.colour, linewidth=2.2, solid_capstyle="round", alpha=0.55)
                axes.plot([kept.value], [y], "o", color=key.colour, markersize=4.5)
    middle = (len(rows) - 1) / 2
    axes.set_yticks([place * height + middle for place in range(len(groups))], list(groups), fontsize=8, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel(metric, fontsize=8, color=INK)
    if percent:
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    return _svg(figure)


def row_keys(rows: Sequence[str]) -> list[Key]:
    """The colour of every row, the same in table and plot."""
    return [Key(row, PALETTE[place % len(PALETTE)]) for place, row in enumerate(rows)]


def scatter(points: np.ndarray, y: np.ndarray | None, class_names: Sequence[str]) -> tuple[str, list[Key]]:
    """Points [M,2] coloured by label [M], and the legend: empty above `LEGEND_LIMIT` classes. Labels below 0 are drawn faint."""
    figure, axes = _canvas(8.2, 5.0)
    axes.set_axis_off()
    labels = np.full(len(points), -1) if y is None else y
    known = [int(label) for label in np.unique(labels[labels >= 0])]
    keys = [Key(class_name(label, class_names), colour) for label, colour in zip(known, class_colours(len(known)))]
    colour_of = {label: key.colour for label, key in zip(known, keys)}
    rest = PALETTE[0] if y is None else FAINT
    size = float(np.clip(6000 / len(points), 5, 30))
    axes.scatter(points[:, 0], points[:, 1], s=size, c=[colour_of.get(int(label), rest) for label in labels], alpha=0.85, linewidths=0)
    return _svg(figure), keys if len(keys) <= LEGEND_LIMIT else []


def class_name(label: int, class_names: Sequence[str]) -> str:
    """The name of a class, or its number where it has none; empty for a label below 0."""
    if label < 0:
        return ""
    return class_names[label] if label < len(class_names) else str(label)


def picture(pixels: np.ndarray) -> str:
    """[H,W,3] uint8 → a PNG data URI."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return _data_uri("image/png", file.getvalue())


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(labelsize=8, color=FAINT, labelcolor=INK)
    axes.grid(color=FAINT, alpha=0.4, linewidth=0.6)
    return figure, axes


def _series(steps: Sequence[Mapping[str, Any]], key: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Steps and values of one key where it is a finite number, thinned evenly; None when there is no such record."""
    pairs = [(record["step"], record[key]) for record in steps if isinstance(record.get(key), int | float)]
    kept = np.array([pair for pair in pairs if np.isfinite(pair[1])], dtype=np.float64)
    if not len(kept):
        return None
    kept = kept[np.unique(np.linspace(0, len(kept) - 1, POINTS).astype(int))]
    return kept[:, 0], kept[:, 1]


def _draw_series(axes: Axes, x: np.ndarray, y: np.ndarray, name: str, colour: str, *, exact: bool) -> None:
    """A line; from 40 points on, the raw values stay faint behind their running median."""
    marker = "o" if len(x) == 1 else None
    if exact or len(x) < 40:
        axes.plot(x, y, color=colour, linewidth=1.6, marker=marker, label=name)
        return
    reach = max(1, len(y) // 60)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(y, reach, mode="reflect"), 2 * reach + 1)
    axes.plot(x, y, color=colour, linewidth=0.8, alpha=0.3)
    axes.plot(x, np.median(windows, axis=1), color=colour, linewidth=1.6, label=name)


def _draw_right_axis(
    axes: Axes, left: Mapping[str, tuple[np.ndarray, np.ndarray]], right: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> None:
    """A second scale, each axis named in the colour of its line."""
    other = axes.twinx()
    other.spines[["top", "left", "right", "bottom"]].set_visible(False)
    other.tick_params(labelsize=8, color=FAINT, labelcolor=INK)
    for colour, (name, (x, y)) in zip(PALETTE[1:], right.items()):
        other.plot(x, y, color=colour, linewidth=1.6)
        other.set_ylabel(name, fontsize=8, color=colour)
    axes.set_ylabel(next(iter(left)), fontsize=8, color=PALETTE[0])


def class_colours(count: int) -> list[str]:
    """As many colours, told apart as well as their number allows."""
    if count <= LEGEND_LIMIT:
        table = colormaps["tab10" if count <= 10 else "tab20"]
        return [to_hex(table(place)) for place in range(count)]
    return [to_hex(colormaps["turbo"](place / (count - 1))) for place in range(count)]


def _svg(figure: Figure) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _data_uri("image/svg+xml", file.getvalue())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
