"""`jepakit bench measures`: do label-free measures tell good encoders from bad ones? Many short runs, each measured and each probed.

Every run differs from the recipe in a few options, drawn at random. Measures look at training samples without their labels; the probe is
fitted on training samples and judged on test samples. A run that is there already is not trained again, so the command can go on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from jepakit import disk, engine, precision
from jepakit.build import Parts, build_modality
from jepakit.config import RunConfig, load_config
from jepakit.contracts import Reader
from jepakit.contracts.carriers import to_device
from jepakit.data.loader import Batches, Recipe
from jepakit.errors import ConfigError, DataError
from jepakit.evaluate.features import FeatureSet
from jepakit.evaluate.labelfree import measured, measured_of_views
from jepakit.evaluate.probes import cross_validated, preparation, prepared, probes, with_all_labels
from jepakit.evaluate.run import chosen_backbone, features_of, trained_parts
from jepakit.evaluate.settings import EvalSettings
from jepakit.objectives import pooled_contexts
from jepakit.plans import plan_of
from jepakit.plugin_host.host import Host
from jepakit.runs import read_metrics
from jepakit.sources import open_source
from jepakit.train.loop import Emit, pick_device

POOLING = "mean"
"""What all measures and the probe look at, so that they speak of the same numbers."""
SAMPLES, VIEWS, BATCH = 256, 10, 128
"""Samples and views of each for the measures that need views (the paper of LiDAR finds 10 enough)."""
VARIED: Mapping[str, Sequence[str]] = {
    "train.steps": ("50", "100", "200", "300"),
    "optim.lr": ("3e-4", "1e-3", "2e-3", "5e-3"),
    "target.half_life": ("0.01", "0.05", "0.2"),
    "transform.norm": ("standardise", "layer"),
}
"""Options that are varied unless others are named: how long and how fast, what the target is."""


@dataclass(frozen=True)
class Outcome:
    """One run. changes: what it differs in. probe: accuracy (or R²) of a linear probe on test samples. chosen: the same by
    cross-validation on training samples. measures: by name, label-free."""

    run: str
    changes: tuple[str, ...]
    probe: float
    chosen: float
    measures: Mapping[str, float]


def run_bench(
    recipe: str, host: Host, data: str, out: Path, *, runs: int, varied: Mapping[str, Sequence[str]], fixed: Sequence[str], emit: Emit
) -> list[Outcome]:
    """All runs, trained where they are not there yet.

    Raises:
        ConfigError: if an option to vary does not exist, or the folder holds runs of other options. DataError: without test samples.
    """
    found = []
    for number in range(runs):
        changes = drawn(varied, number)
        config = load_config(recipe, [*fixed, *changes, "train.minutes=null"], host)
        folder = out / f"run-{number:02d}"
        outcome = read_outcome(folder, changes)
        if outcome is None:
            outcome = one_run(config, host, data, folder, changes)
            disk.replace_file(folder / "measures.json", json.dumps(asdict(outcome), indent=1).encode())
        found.append(outcome)
        emit({"event": "run", "sentence": f"{number + 1}/{runs}  probe {outcome.probe:.3f}  {' '.join(changes)}"})
    return found


def drawn(varied: Mapping[str, Sequence[str]], number: int) -> tuple[str, ...]:
    """The options of run `number` and its seed, each value as likely as the others."""
    rng = np.random.Generator(np.random.Philox(key=number))
    return (*(f"{key}={values[int(rng.integers(len(values)))]}" for key, values in varied.items()), f"train.seed={number}")


def read_outcome(folder: Path, changes: Sequence[str]) -> Outcome | None:
    """What a run was found to be; None when it is not there. ConfigError when the folder holds another run."""
    path = folder / "measures.json"
    if not path.exists():
        return None
    kept = json.loads(path.read_text(encoding="utf-8"))
    if kept["changes"] != list(changes):
        raise ConfigError(f"{folder} holds a run with {' '.join(kept['changes'])}; give another --out, or the options of that time")
    return Outcome(kept["run"], tuple(kept["changes"]), kept["probe"], kept["chosen"], kept["measures"])


def one_run(config: RunConfig, host: Host, data: str, folder: Path, changes: tuple[str, ...]) -> Outcome:
    """Train, embed, measure, probe."""
    if (folder / "config.yaml").exists():
        engine.resume(folder, host, silent)
    else:
        engine.train(config, host, data, folder, silent)
    modality = build_modality(config, host)
    train, test = (open_source(config, modality, data, split) for split in ("train", "test"))
    settings = config.evaluate.model_copy(update={"poolings": (POOLING,), "probes": ("linear",), "budgets": ()})
    config = config.model_copy(update={"evaluate": settings})
    parts = trained_parts(folder, config, host, train.spec(), modality)
    source = features_of(config, parts, train, test)
    if source.test is None or source.train.labels is None or source.test.labels is None:
        raise DataError(f"{data}: the bench needs labelled training and test samples; give data that has both, such as bundled:NAME")
    with threadpool_limits(1):
        probe, chosen = probed(source.train, source.test, settings, config.train.seed)
        measures = measured(source.train.by_pooling[POOLING]) | measured_of_views(views_of(config, parts, train))
    return Outcome(folder.name, changes, probe, chosen, measures | last_numbers(folder))


def silent(event: dict[str, Any]) -> None:
    """Says nothing: there are many runs."""


def probed(train: FeatureSet, test: FeatureSet, settings: EvalSettings, seed: int) -> tuple[float, float]:
    """Score of a linear probe on test samples, and by cross-validation on training samples."""
    assert train.labels is not None
    assert test.labels is not None
    (probe,) = probes(train.labels, settings, task=train.task, seed=seed)
    fitted = preparation(train.by_pooling[POOLING], settings, seed)
    x, judged = (prepared(fitted, part.by_pooling[POOLING]) for part in (train, test))
    said = with_all_labels(probe, x, train.labels, judged, groups=train.groups, settings=settings, seed=seed)
    chosen = cross_validated(probe, said.option, x, train.labels, groups=train.groups, settings=settings, seed=seed)
    if test.task == "regression":
        return 1 - float(np.square(said.predictions[0] - test.labels).mean() / test.labels.var()), chosen
    return float((said.predictions[0] == test.labels).mean()), chosen


def views_of(config: RunConfig, parts: Parts, reader: Reader) -> np.ndarray:
    """Embeddings (n, views, D) of what the run is trained on: the recipe's augmentation and the first context of the mask.

    The encoder is the one that is evaluated; each view is the mean over the tokens that its context shows.
    """
    device = pick_device(config.train.device)
    places = [(view, int(index)) for view in range(VIEWS) for index in np.linspace(0, len(reader) - 1, min(SAMPLES, len(reader)))]
    recipe = Recipe(parts.view, parts.tokenizers, parts.masker, config.data.collate, config.train.seed, lambda step: 1.0)
    batches = Batches(reader, lambda step: places[step * BATCH : (step + 1) * BATCH], recipe)
    parts.jepa.backbone = chosen_backbone(config, parts)
    jepa = parts.jepa.to(device).eval()
    rows = []
    with torch.inference_mode():
        for step in range(-(-len(places) // BATCH)):
            batch = to_device(batches[step], device)
            plan = plan_of(batch, parts, config, step, 1.0)
            out = precision.run(jepa, precision.resolve(config.train.precision, device), batch, plan, step)[2]
            rows.append(pooled_contexts(out)[0].float().cpu().numpy())
    return np.concatenate(rows).reshape(VIEWS, -1, rows[0].shape[1]).swapaxes(0, 1)


def last_numbers(folder: Path) -> dict[str, float]:
    """The last loss and position ratio of the run, which cost nothing."""
    records = [record for record in read_metrics(folder) if record.get("event") == "step"]
    found = {}
    for name in ("loss", "position_ratio"):
        values = [record[name] for record in records if isinstance(record.get(name), float)]
        if values:
            found[name] = float(values[-1])
    return found
