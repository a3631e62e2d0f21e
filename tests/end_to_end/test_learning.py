"""Proof that training pays: on made-up images with known structure the trained encoder beats itself untrained, and raw pixels."""

from __future__ import annotations

from pathlib import Path

import pytest

from jepakit.config import load_config
from jepakit.engine import evaluate_run, train
from jepakit.plugin_host.loader import discover


@pytest.mark.slow
def test_trained_beats_untrained_and_raw_pixels(tmp_path: Path) -> None:
    config = load_config("image-quick", ["train.steps=1500", "train.minutes=null", "data.limit=1000"], discover())
    assert train(config, discover(), "synthetic", tmp_path / "run", lambda event: None).status == "finished"
    found = evaluate_run(tmp_path / "run", discover(), "synthetic", None, lambda event: None)
    value = {row.row: row.value for row in found.rows if (row.probe, row.labels, row.metric) == ("linear", 20, "accuracy")}
    assert value["encoder"] > value["untrained"]
    assert value["encoder"] > value["raw"] + 0.2
