"""A run that is made to collapse: an online target without anything that keeps samples apart, the rate rising slowly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jepakit import checkpoint
from jepakit.cli.main import main

COLLAPSING = (
    "target={name: online}", "objective=[{name: mse}]", "transform={name: levels, norm: none}", "views=null", "masker.contexts=1",
    "optim.lr=6e-3", "optim.warmup=240", "encoder.width=32", "encoder.depth=1", "predictor.width=32", "predictor.depth=1",
    "tokenizer.patch=2", "data.batch=32", "train.log_every=5", "monitor.min_embeddings=64", "data.limit=200",
)  # fmt: skip


def test_a_run_made_to_collapse_stops_and_names_the_last_good_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    changes = [part for change in COLLAPSING for part in ("--set", change)]
    command = ["train", "image-quick", "--data", "bundled:digits", "--steps", "300", *changes, "--out", str(run), "--json"]
    assert main([*command, "--on-collapse", "stop"]) == 4
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    done, good = events[-1], checkpoint.best(run)
    assert done["status"] == "collapsed"
    assert done["step"] < 300
    assert good is not None
    assert good < done["step"]
    assert f"The last good checkpoint is that of step {good} (--checkpoint best)" in done["sentence"]
    verdicts = {event["step"]: event["verdict"] for event in events if event["event"] == "step"}
    assert verdicts[good] == "healthy"
    assert verdicts[done["step"]] == "collapsed"
