"""A comparison → one HTML file that works offline: differing options, scores with intervals, curves on top of each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jepakit import __version__
from jepakit.disk import replace_file
from jepakit.errors import JepakitError, UsageError
from jepakit.report.artifacts import read_steps
from jepakit.report.figures import PALETTE, Panel, curve, interval_plot, row_keys
from jepakit.report.page import template
from jepakit.report.table import Interval, Line, arrange, number
from jepakit.run_index.compare import Comparison, Difference
from jepakit.run_index.summary import Summary, read_evaluation

CURVES = {
    "loss": "Loss",
    "rank": "Rank of the embeddings, centred",
    "std": "Spread of the targets",
    "cosine": "Mean cosine",
    "position_ratio": "Position ratio",
    "samples_per_s": "Samples a second",
}
"""Fields of a logged step, and what their chart is called."""


def write_comparison(found: Comparison, path: Path) -> None:
    """Write the page, whole or not at all. UsageError for more runs than there are colours; JepakitError when it can't be written."""
    if len(found.runs) > len(PALETTE):
        raise UsageError(f"--report can tell {len(PALETTE)} runs apart by colour, {len(found.runs)} were given; leave some out")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, render(found).encode("utf-8", errors="replace"))
    except OSError as fault:
        raise JepakitError(f"{path} can't be written: {fault.strerror or fault}; choose another --out") from fault


def render(found: Comparison) -> str:
    """The page as one document without outside references."""
    names = names_of(found.runs)
    return template("comparison.html.j2").render(
        names=names,
        keys=row_keys(names),
        version=__version__,
        written=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        config=_cells(found.config),
        machine=_cells(found.machine),
        results=_cells(found.results),
        plots=plots(found.runs, names),
        charts=charts(found.runs, names),
    )


def names_of(runs: Sequence[Summary]) -> list[str]:
    """Names that tell the runs apart: of the folder, or the whole path where two folders have the same name."""
    short = [run.name for run in runs]
    return short if len(set(short)) == len(short) else [run.path for run in runs]


def charts(runs: Sequence[Summary], names: Sequence[str]) -> list[tuple[str, str]]:
    """(title, picture) of every curve that all runs have, each run in its colour."""
    logged = [read_steps(Path(run.path)) for run in runs]
    drawn = []
    for field, title in CURVES.items():
        if not all(any(record.get(field) is not None for record in steps) for steps in logged):
            continue
        points = [
            {"step": record["step"], name: record[field]} for name, steps in zip(names, logged) for record in steps if field in record
        ]
        picture = curve(points, Panel(title, {name: name for name in names}, ""))
        drawn += [] if picture is None else [(title, picture)]
    return drawn


def plots(runs: Sequence[Summary], names: Sequence[str]) -> list[str]:
    """One picture a metric: the encoders' scores with their intervals, grouped by probe and labels."""
    tables = [arrange(read_evaluation(Path(run.path)).get("rows") or ()) for run in runs]
    lines = [(name, line) for name, table in zip(names, tables) if table is not None for line in table.lines if "encoder" in line.intervals]
    return [
        _plot([(name, line) for name, line in lines if line.metric == metric], names)
        for metric in dict.fromkeys(x.metric for _, x in lines)
    ]


def _plot(lines: Sequence[tuple[str, Line]], names: Sequence[str]) -> str:
    groups: dict[str, dict[str, Interval]] = {}
    for name, line in lines:
        groups.setdefault(line.name, {})[name] = line.intervals["encoder"]
    return interval_plot(groups, names, lines[0][1].metric, lines[0][1].percent)


def _cells(lines: Sequence[Difference]) -> list[Mapping[str, Any]]:
    return [{"key": line.key, "cells": [_text(value) for value in line.values]} for line in lines]


def _text(value: Any) -> str:
    if value is None or value == "":
        return "–"
    return number(value) if isinstance(value, float) else str(value)
