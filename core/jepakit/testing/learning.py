"""Does a short run learn anything? A linear probe on mean-pooled features, trained against untrained, on the modality's made-up samples.

Fifty steps are few, so one run proves nothing: three seeds are pooled, and each test sample is judged by both encoders, so that
only the samples count on which they disagree. The recipe passes when the trained encoder is right more often than the untrained one
by more than chance explains (McNemar 1947, one-sided, 5 %). Numbers as labels are judged by their squared errors in the same way.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from jepakit import checkpoint, engine
from jepakit.build import build, build_modality
from jepakit.config import load_config
from jepakit.evaluate.features import FeatureSet
from jepakit.evaluate.run import features_of, same_scalers
from jepakit.measures import rankme
from jepakit.plugin_host.host import Host
from jepakit.testing.check import expect

STEPS, BATCH, SEEDS, SAMPLES = 50, 32, 3, 512
ONE_SIDED = 1.645
"""Standard deviations that leave 5 % above them."""
RANK = 2.0
"""Least effective rank of the trained embeddings: a line has one, and features that fell onto a line say less than one number a sample."""


def check_learning(recipe: str | Mapping[str, Any], host: Host, overrides: tuple[str, ...] = (), steps: int = STEPS) -> None:
    """`Failed` unless the encoder after `steps` steps beats the untrained one, both probed the same way, and did not collapse."""
    won = lost = 0
    scores = []
    for seed in range(SEEDS):
        trained, untrained, rank = judged(recipe, host, overrides, steps, seed)
        expect(rank >= RANK, f"after {steps} steps its embeddings have an effective rank of {rank:.1f}: they collapse")
        won += int((trained > untrained).sum())
        lost += int((trained < untrained).sum())
        scores.append((float(trained.mean()), float(untrained.mean())))
    ours, theirs = np.mean(scores, axis=0)
    z = (won - lost) / max(1.0, float(np.sqrt(won + lost)))
    said = f"after {steps} steps a probe scores {ours:.3f}, untrained {theirs:.3f} (better on {won}, worse on {lost} of {SEEDS * SAMPLES})"
    expect(z > ONE_SIDED, f"{said}: no more than chance")


def judged(
    recipe: str | Mapping[str, Any], host: Host, overrides: tuple[str, ...], steps: int, seed: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """How right the trained and the untrained encoder are on each test sample: 1 or 0 for classes, minus the squared error else.

    And the effective rank of what the trained one makes of the test samples.
    """
    changes = [f"train.steps={steps}", "train.minutes=null", f"train.seed={seed}", f"data.batch={BATCH}", f"data.limit={SAMPLES}"]
    fixed = ["train.device=cpu", "train.precision=float32", "train.accumulate=1", "train.checkpoint_minutes=60"]
    config = load_config(recipe, [*changes, *fixed, *overrides], host)
    modality = build_modality(config, host)
    train, test = modality.synthetic(SAMPLES, seed, "train"), modality.synthetic(SAMPLES, seed, "test")
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        events: list[dict[str, Any]] = []
        engine.train(config, host, "synthetic", run, events.append)
        expect(all(np.isfinite(event["loss"]) for event in events if event["event"] == "step"), "its loss is not finite")
        parts = [build(config, host, train.spec(), modality) for _ in range(2)]
        checkpoint.unpack_module("model", checkpoint.load_latest(run).tensors, parts[0].jepa)
    same_scalers(parts[0], parts[1])
    ours, theirs = (features_of(config, part, train, test) for part in parts)
    assert ours.test is not None
    assert theirs.test is not None
    rank = rankme(torch.from_numpy(np.asarray(ours.test.by_pooling["mean"], dtype=np.float32)), centred=True)
    with threadpool_limits(1):
        return rightness(ours.train, ours.test), rightness(theirs.train, theirs.test), rank


def rightness(train: FeatureSet, test: FeatureSet) -> np.ndarray:
    """(M,) of the test samples, by a linear probe on mean-pooled features fitted on the training samples."""
    assert train.labels is not None
    assert test.labels is not None
    classes = train.labels.dtype.kind == "i"
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, tol=1e-3) if classes else Ridge(1.0))
    probe.fit(train.by_pooling["mean"].astype(np.float32), train.labels)
    said = probe.predict(test.by_pooling["mean"].astype(np.float32))
    return (said == test.labels).astype(float) if classes else -np.square(said - test.labels)
