"""A whole run on real digits: trained, stopped by bad data, evaluated, reported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from jepakit import checkpoint
from jepakit.config import RunConfig, load_config
from jepakit.engine import evaluate_run, plan, train
from jepakit.errors import ConfigError, DataError, TrainingStopped
from jepakit.plugin_host.loader import discover
from jepakit.report.page import write_report

SMALL = [
    "tokenizer.patch=2", "encoder.width=32", "encoder.depth=2", "encoder.heads=1", "transform.levels=[0,-1]", "predictor.width=32",
    "predictor.depth=1", "data.batch=32", "train.steps=20", "train.minutes=null", "evaluate.draws=2", "evaluate.resamples=100",
]  # fmt: skip


def small(*changes: str) -> RunConfig:
    return load_config("image-quick", [*SMALL, *changes], discover())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "digits"
    assert train(small(), discover(), "bundled:digits", out, lambda event: None).status == "finished"
    return out


def test_four_rows_on_the_same_samples(run: Path) -> None:
    quick = ["data.limit=500", "evaluate.max_fit_rows=300", "evaluate.strengths=[0.01,0.1]", "evaluate.poolings=[mean,mean+std]"]
    found = evaluate_run(run, discover(), "bundled:digits", None, lambda event: None, quick)
    assert {row.row for row in found.rows} == {"encoder", "untrained", "raw", "classical"}
    assert {(row.probe, row.labels) for row in found.rows} == {(probe, n) for probe in ("linear", "knn") for n in (1, 5, 20, "all")}
    assert all(row.low <= row.value <= row.high for row in found.rows)
    assert json.loads((run / "evaluation.json").read_text())["pooling"] == found.pooling
    best = max(row.value for row in found.rows if row.row == "raw" and row.metric == "accuracy")
    assert best > 0.9, "raw pixels of digits are known to be worth more than .9"


def test_a_run_is_evaluated_as_it_was_trained() -> None:
    with pytest.raises(ConfigError, match="evaluated as it was trained"):
        evaluate_run(Path("anywhere"), discover(), "bundled:digits", None, lambda event: None, ["encoder.width=8"])


def test_classes_that_do_not_match_are_refused(run: Path, tmp_path: Path) -> None:
    """Folders are numbered by name: a test folder with other classes would be scored wrongly without a word."""
    for split, classes in (("train", ("cat", "dog")), ("test", ("bird", "cat"))):
        for name in classes:
            (tmp_path / split / name).mkdir(parents=True)
            for number in range(3):
                np.save(tmp_path / split / name / f"{number}.npy", np.zeros((8, 8), dtype=np.uint8))
    with pytest.raises(DataError, match="class 0 is 'cat' in the training data and 'bird' in the test data"):
        evaluate_run(run, discover(), str(tmp_path / "train"), str(tmp_path / "test"), lambda event: None)


def test_report_shows_masks_and_map(run: Path) -> None:
    page = write_report(run).read_text()
    assert "data:image/png;base64," in page
    assert all(word in page for word in ("untrained", "step", "bundled:digits"))
    assert (run / "report" / "masks.npz").exists()
    assert any((run / "events").iterdir())


def test_the_two_encoders_differ(run: Path) -> None:
    """`evaluate.encoder` picks the averaged or the trained one; after 20 steps they are not the same."""
    tensors = checkpoint.load_latest(run).tensors
    pairs = [(name, name.replace("target.average", "backbone")) for name in tensors if "target.average" in name]
    assert pairs
    assert any(not np.array_equal(tensors[a].numpy(), tensors[b].numpy()) for a, b in pairs)


def test_a_value_that_is_not_finite_stops_the_run_and_names_the_sample(tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((40, 8, 8), dtype=np.float32)
    images[17, 3, 3] = np.nan
    np.savez(tmp_path / "set.npz", x=images)
    with pytest.raises(TrainingStopped, match="the loss of step 1 is nan") as caught:
        train(small("data.batch=40"), discover(), str(tmp_path / "set.npz"), tmp_path / "run", lambda event: None)
    assert "set/" in str(caught.value)
    saved = checkpoint.load_latest(tmp_path / "run")
    assert all(np.isfinite(value.numpy()).all() for value in saved.tensors.values() if value.is_floating_point())


def test_forecast_counts_what_training_would_see() -> None:
    made = plan(small("train.steps=100"), discover(), "bundled:digits")
    assert (made.samples, made.tokens, made.samples_seen) == (1433, 16, 3200)
    assert made.context_tokens is not None
    assert 0 < made.context_tokens < 16
    assert made.parameters["encoder"] == made.parameters["target"] > made.parameters["predictor"] > 0
    assert any("16 a sample" in line for line in made.lines())
