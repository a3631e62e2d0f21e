"""The best checkpoint by a probe: every checkpoint that a run keeps is judged on labelled training samples, by cross-validation."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jepakit import checkpoint, disk
from jepakit.contracts import Reader
from jepakit.embed.encoder import LoadedEncoder
from jepakit.errors import DataError, JepakitError
from jepakit.plugin_host.host import Host

MOST, FOLDS = 2_000, 3
"""Labelled samples a checkpoint is judged on, evenly over the data, and folds of the cross-validation."""
ITERATIONS = 300
RIDGE = 10.0
"""Penalty, for standardised features; the same for all checkpoints, so that only they differ."""


@dataclass(frozen=True)
class Probed:
    """step: of the best. metric: accuracy, or R² for labels that are no classes. scores: step → score. samples: judged on."""

    step: int
    metric: str
    scores: dict[int, float]
    samples: int
    data: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def probe_checkpoints(run: Path, data: str, host: Host, emit: Callable[[dict[str, Any]], None]) -> Probed:
    """Judge all checkpoints of a run and note the best in best.json, where `--checkpoint best` finds it from then on.

    Raises:
        DataError: the data has no labels that can be judged. JepakitError: the run has no checkpoint.
    """
    steps = checkpoint.steps(run)
    if not steps:
        raise JepakitError(f"{run} has no checkpoint; train it first")
    scores: dict[int, float] = {}
    metric, judged = "", 0
    for step in steps:
        encoder = LoadedEncoder(run, checkpoint=str(step), plugins=host)
        rows = labelled_rows(encoder.open(data))
        scores[step], metric = judge(encoder, rows)
        judged = len(rows)
        emit({"event": "probe", "step": step, "score": scores[step], "sentence": f"step {step}: {metric} {scores[step]:.4f}"})
    best = max(scores, key=lambda step: (scores[step], step))
    found = Probed(best, metric, scores, judged, data)
    disk.replace_file(run / checkpoint.CHOSEN, json.dumps(found.to_json(), indent=1).encode())
    return found


def labelled_rows(reader: Reader) -> list[Any]:
    """Samples with a label, at most `MOST`, evenly over the data; DataError when there are too few for the folds."""
    rows = np.unique(np.linspace(0, len(reader) - 1, min(MOST, len(reader))).round().astype(int))
    samples = [sample for row in rows if (sample := reader.read(int(row))).label is not None]
    if len(samples) < 2 * FOLDS:
        raise DataError(f"{len(samples)} of {len(rows)} samples have a label; give --data with labels to judge checkpoints by")
    return samples


def judge(encoder: LoadedEncoder, samples: list[Any]) -> tuple[float, str]:
    """Cross-validated score of a linear probe on frozen embeddings: groups stay together where they are known."""
    z = encoder(samples)
    labels = np.stack([np.asarray(sample.label) for sample in samples])
    groups = None if any(sample.group is None for sample in samples) else np.array([sample.group for sample in samples])
    is_class = labels.ndim == 1 and labels.dtype.kind in "iub"
    folds: Any = KFold(FOLDS, shuffle=True, random_state=0)
    if groups is not None and len(set(groups.tolist())) >= FOLDS:
        folds = GroupKFold(FOLDS)
    elif is_class and np.bincount(np.unique(labels, return_inverse=True)[1]).min() >= FOLDS:
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=ITERATIONS) if is_class else Ridge(RIDGE))
    metric = "accuracy" if is_class else "r2"
    return float(np.mean(cross_val_score(probe, z, labels, groups=groups, cv=folds, scoring=metric))), metric
