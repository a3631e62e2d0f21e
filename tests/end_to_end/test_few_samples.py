"""Data that hold fewer samples than a batch are trained on, and whoever asked for it is told before the run and when it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jepakit.config import load_config
from jepakit.engine import plan, train
from jepakit.plugin_host.loader import discover

SMALL = [
    "tokenizer.patch=4", "encoder.width=32", "encoder.depth=2", "encoder.heads=2", "predictor.width=16", "predictor.depth=1",
    "predictor.heads=1", "train.steps=2", "train.minutes=null", "train.precision=float32", "data.limit=10",
]  # fmt: skip


@pytest.mark.parametrize(("batch", "told"), [(10, 0), (12, 1)])
def test_a_batch_larger_than_the_data_is_said(tmp_path: Path, batch: int, told: int) -> None:
    host, events = discover(), list[dict[str, Any]]()
    config = load_config("image-quick", [*SMALL, f"data.batch={batch}"], host)
    notes = [line for line in plan(config, host, "bundled:digits").lines() if line.startswith("note")]
    assert train(config, host, "bundled:digits", tmp_path / "run", events.append).status == "finished"
    warned = [event["sentence"] for event in events if event["event"] == "warning"]
    assert (len(notes), len(warned)) == (told, told)
    assert all("10 samples" in sentence and f"a batch of {batch}" in sentence for sentence in (*notes, *warned))
