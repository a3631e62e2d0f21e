"""`jepakit lidar-points`: average precision of object points, leaving one sweep out at a time, with what a run learned and without it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from jepakit.sdk import DataError, Sample
from jepakit_lidar.modality import owners
from jepakit_lidar.reader import SweepReader
from jepakit_lidar.sources import open_sweeps

ROWS = {
    "encoder": ("encoder",),
    "untrained": ("untrained",),
    "point": ("point",),
    "point + cell": ("point", "cell"),
    "point + cell + untrained": ("point", "cell", "untrained"),
    "point + cell + encoder": ("point", "cell", "encoder"),
}
"""What each row of the table puts side by side for a point."""
TREES = 100


@dataclass(frozen=True)
class Points:
    """parts: name → (M, F) float32. label: (M,) 0 or 1. sweep: (M,) name of the sweep."""

    parts: Mapping[str, np.ndarray]
    label: np.ndarray
    sweep: np.ndarray

    def of(self, names: tuple[str, ...], rows: np.ndarray) -> np.ndarray:
        """(rows, F) of some parts side by side."""
        return np.concatenate([self.parts[name][rows] for name in names], axis=1)


@click.command("lidar-points")
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data", required=True, help='Sweeps with a class a point, as "sweeps/::only=kitti_training_*,labels=object".')
@click.option("--probe", type=click.Choice(["linear", "forest"]), default="linear", show_default=True, help="What is fitted on points.")
@click.option(
    "--most", default=3000, show_default=True, type=click.IntRange(min=10), help="Points of a sweep that are fitted on; judged are all."
)
@click.option("--seed", default=0, show_default=True, help="Keys which points are fitted on.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(run: Path, data: str, probe: str, most: int, seed: int, as_json: bool) -> None:
    """Tell object points from others: a probe on all sweeps but one, judged on that one, for each sweep in turn."""
    points = described(run, open_sweeps(data))
    found = {row: precision(points, names, probe, most, seed) for row, names in ROWS.items()}
    if as_json:
        click.echo(json.dumps({"probe": probe, "most": most, "seed": seed, "object_share": float(points.label.mean()), "rows": found}))
        return
    click.echo(f"average precision of object points, {probe} probe, one sweep left out; {points.label.mean():.2%} are objects")
    for row, by_sweep in found.items():
        each = "  ".join(f"{value:.3f}" for value in by_sweep.values())
        click.echo(f"{row:26} {np.mean(list(by_sweep.values())):.3f}   of each sweep: {each}")


def described(run: Path, reader: SweepReader) -> Points:
    """Every labelled point of every sweep. DataError unless labels are 0 and 1, in two sweeps or more."""
    from jepakit.sdk import parts_of

    if reader.options.labels != "object":
        raise DataError("--data: points need labels 0 and 1; write labels=object behind ::")
    built = parts_of(run, reader)
    backbones = {name: getattr(part.jepa.target, "average", part.jepa.backbone).eval() for name, part in built.items()}
    found: list[tuple[dict[str, np.ndarray], np.ndarray, str]] = []
    for index in range(len(reader)):
        sample = reader.read(index)
        known = np.flatnonzero(np.asarray(sample.label) >= 0)
        if len(known):
            found.append((of_tile(sample, known, backbones), np.asarray(sample.label)[known], str(sample.group)))
    sweeps = np.concatenate([np.full(len(label), name) for _, label, name in found]) if found else np.zeros(0, dtype=str)
    if len(np.unique(sweeps)) < 2:
        raise DataError("--data: points of two sweeps or more need labels, so that one can be left out")
    parts = {name: np.concatenate([part[name] for part, _, _ in found]) for name in found[0][0]}
    return Points(parts, np.concatenate([label for _, label, _ in found]), sweeps)


def of_tile(sample: Sample, known: np.ndarray, backbones: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The parts of the points `known` of one tile: their own numbers, those of their cell, and embeddings of their cell."""
    import torch

    from jepakit.sdk import Batch, Raw

    points = sample.streams["main"]
    tokenizer = next(iter(backbones.values())).tokenizer("main")
    layout = tokenizer.layout(sample, "main")
    owner = owners(points[known], layout)
    coords, valid, channel = (torch.from_numpy(part)[None] for part in (layout.coords, layout.valid, layout.channel))
    values = torch.from_numpy(points)[None]
    with torch.inference_mode():
        cell = tokenizer.statistics(values, None, coords, valid)[0].numpy()
        batch = Batch({"main": Raw(values, None, coords, valid, channel)}, ids=(sample.id,))
        embedded = {name: backbone.embed(batch).last[0].float().numpy()[owner] for name, backbone in backbones.items()}
    return {"point": of_points(points[known]), "cell": cell[owner], **embedded}


def of_points(points: np.ndarray) -> np.ndarray:
    """(M, 7) float32: x, y, z, intensity, range, direction and elevation of points (M, 4)."""
    x, y, z, intensity = points.T
    reach = np.hypot(x, y)
    return np.stack([x, y, z, intensity, reach, np.arctan2(y, x), np.arctan2(z, reach)], axis=1).astype(np.float32)


def precision(points: Points, names: tuple[str, ...], probe: str, most: int, seed: int) -> dict[str, float]:
    """Sweep → average precision of its points; sweeps without an object are left out of the table, not of the fit."""
    from sklearn.metrics import average_precision_score

    found = {}
    for sweep in np.unique(points.sweep):
        judged = np.flatnonzero(points.sweep == sweep)
        fitted = chosen(points, str(sweep), most, seed)
        if not points.label[judged].any() or len(np.unique(points.label[fitted])) < 2:
            continue
        model = estimator(probe, seed).fit(points.of(names, fitted), points.label[fitted])
        found[str(sweep)] = float(average_precision_score(points.label[judged], model.predict_proba(points.of(names, judged))[:, 1]))
    if not found:
        raise DataError("--data: no sweep holds an object while others do; give more sweeps")
    return found


def chosen(points: Points, left_out: str, most: int, seed: int) -> np.ndarray:
    """At most `most` points of every other sweep."""
    rows = []
    for number, sweep in enumerate(np.unique(points.sweep)):
        rng = np.random.Generator(np.random.Philox(key=[seed, number]))
        if sweep != left_out:
            rows.append(np.sort(rng.permutation(np.flatnonzero(points.sweep == sweep))[:most]))
    return np.concatenate(rows)


def estimator(probe: str, seed: int) -> Any:
    """An unfitted classifier with probabilities."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if probe == "forest":
        return RandomForestClassifier(TREES, min_samples_leaf=2, random_state=seed, n_jobs=1)
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200, tol=1e-3))
