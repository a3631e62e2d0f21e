"""`jepakit stems`: does what a run predicts for a missing stem find that stem among all stems of all pieces?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data", required=True, help="Pieces in stems that the run was not trained on; or synthetic.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def stems(run: Path, data: str, as_json: bool) -> None:
    """Retrieve the missing stem of every piece (Stem-JEPA, arXiv 2408.02514, section 4.1): what RUN predicts, and the same untrained.

    A stem that is silent in its crop can't be told from others and counts as missed.
    """
    found = retrieval(run, data)
    if as_json:
        click.echo(json.dumps(found))
        return
    for row, values in found.items():
        click.echo(f"{row:10}  " + "  ".join(f"{name} {value:.3f}" for name, value in values.items()))


def retrieval(run: Path, data: str) -> dict[str, dict[str, float]]:
    """Row (encoder, untrained) → recall_at_1, recall_at_5, recall_at_10, rank (mean, 0 = best, 0.5 = chance), queries."""
    from jepakit.sdk import answers_of
    from jepakit_audio.stem_view import StemSettings, StemView

    settings = StemSettings.model_validate(view_options(run))
    by_stem: list[Mapping[str, Any]] = [answers_of(run, data, StemView(settings, target)) for target in range(settings.stems)]
    rows = {}
    for row in by_stem[0]:
        predicted = np.concatenate([found[row].predicted for found in by_stem])
        rows[row] = scores(ranks(predicted, np.concatenate([found[row].asked for found in by_stem])))
    return rows


def view_options(run: Path) -> dict[str, Any]:
    """The options of the view that a run was trained with; ClickException when it was not trained on stems."""
    import yaml

    said = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    view = said.get("views") or {}
    if view.get("name") != "audio-stems":
        raise click.ClickException(f"{run}: its views are '{view.get('name')}'; expected a run of the recipe audio-stem")
    return {name: value for name, value in view.items() if name != "name"}


def ranks(predicted: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """(M,) int: how many rows of `asked` (M, D) are nearer to row i of `predicted` (M, D), by cosine, than row i itself."""
    near = unit(predicted) @ unit(asked).T
    return np.asarray((near > np.diag(near)[:, None]).sum(axis=1))


def unit(x: np.ndarray) -> np.ndarray:
    """Rows of length one."""
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def scores(places: np.ndarray) -> dict[str, float]:
    """What the paper reports, of places (M,) from 0."""
    found = {f"recall_at_{k}": float((places < k).mean()) for k in (1, 5, 10)}
    return {**found, "rank": float(places.mean() / max(1, len(places) - 1)), "queries": float(len(places))}
