"""Samples of a real set ranked by a run's encoder."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from jepakit import checkpoint
from jepakit.config import load_config
from jepakit.engine import config_of, train
from jepakit.errors import ConfigError
from jepakit.plugin_host.loader import discover
from jepakit.score import Ranking, score_run

TINY = [
    "tokenizer.patch=2", "encoder.width=16", "encoder.depth=1", "encoder.heads=1", "transform.levels=[-1]", "predictor.width=16",
    "predictor.depth=1", "data.batch=16", "train.steps=4", "train.minutes=null",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "digits"
    train(load_config("image-quick", TINY, discover()), discover(), "bundled:digits", out, lambda event: None)
    return out


def ranked(run: Path, out: Path, probes: int | None = None) -> Ranking:
    host = discover()
    config, _ = config_of(run, host)
    return score_run(checkpoint.load_latest(run), config, host, "bundled:digits", out, probes=probes, limit=40, emit=lambda event: None)


def test_least_typical_samples_come_first_and_are_all_there(run: Path, tmp_path: Path) -> None:
    found = ranked(run, tmp_path / "scores.csv")
    kept = pd.read_csv(tmp_path / "scores.csv")
    assert found.method == "exact"
    assert len(kept) == 40
    assert kept["id"].is_unique
    assert kept["score"].is_monotonic_increasing
    assert kept["rank"].tolist() == list(range(1, 41))
    assert kept["label"].between(0, 9).all()


def test_estimates_stand_beside_the_exact_scores(run: Path, tmp_path: Path) -> None:
    exact = ranked(run, tmp_path / "exact.parquet").table.set_index("id")
    estimate = ranked(run, tmp_path / "estimate.parquet", probes=48).table.set_index("id").loc[exact.index]
    off = (estimate["score"] - exact["score"]).abs()
    assert (estimate["error"] > 0).all()
    assert (off < 5 * estimate["error"]).mean() > 0.9


def test_nothing_is_overwritten_and_endings_are_checked(run: Path, tmp_path: Path) -> None:
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(ConfigError, match="exists"):
        ranked(run, tmp_path / "there.csv")
    with pytest.raises(ConfigError, match=r"\.csv or \.parquet"):
        ranked(run, tmp_path / "scores.xlsx")
    assert (tmp_path / "there.csv").read_text() == "mine"
