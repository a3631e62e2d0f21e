"""Killed at any moment and resumed, a run ends with the weights of one never stopped, bit for bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from jepakit import checkpoint
from jepakit.config import RunConfig, load_config
from jepakit.engine import resume, train
from jepakit.plugin_host.loader import discover

SMALL = [
    "tokenizer.patch=4", "encoder.width=32", "encoder.depth=2", "encoder.heads=2", "predictor.width=16", "predictor.depth=1",
    "predictor.heads=1", "optim.freeze_tokenizer=false", "data.batch=24", "train.steps=12", "train.minutes=null", "train.log_every=1",
    "train.precision=float32", "train.checkpoint_minutes=0.000001", "data.limit=100", "optim.matrix_lr=1e-2",
]  # fmt: skip
"""Batches of 24 from 100 samples: epochs end in the middle of a batch. A checkpoint after every step. Both optimisers, AdamW and Muon."""


def small(*changes: str) -> RunConfig:
    return load_config("image-quick", [*SMALL, *changes], discover())


def weights(run: Path) -> dict[str, torch.Tensor]:
    return dict(checkpoint.load_latest(run).tensors)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of twelve steps that nothing stopped."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    assert train(small(), discover(), "bundled:digits", run, lambda event: None).status == "finished"
    return run


def start_child(run: Path) -> subprocess.Popen[str]:
    """The same run in a process of its own, one JSON object a line."""
    changes = [part for change in SMALL for part in ("--set", change)]
    command = [sys.executable, "-m", "jepakit", "train", "image-quick", "--data", "bundled:digits", "--out", str(run), "--json", *changes]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())})


def wait_for_step(child: subprocess.Popen[str], step: int) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        if json.loads(line).get("event") == "step" and json.loads(line)["step"] >= step:
            return
    raise AssertionError("the run ended before the step")


def assert_same(run: Path, other: Path) -> None:
    ours, theirs = weights(run), weights(other)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def test_kill_and_resume_is_bit_identical(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "killed"
    child = start_child(run)
    wait_for_step(child, 5)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    stopped_at = checkpoint.latest(run)
    assert stopped_at is not None
    assert 4 <= stopped_at < 12
    assert resume(run, discover(), lambda event: None).status == "finished"
    assert_same(run, whole)


def test_sigterm_saves_and_exits_143(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "terminated"
    child = start_child(run)
    wait_for_step(child, 3)
    child.send_signal(signal.SIGTERM)
    child.communicate()
    assert child.returncode == 143
    assert resume(run, discover(), lambda event: None).status == "finished"
    assert_same(run, whole)


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # on a machine with one core
def test_data_workers_change_nothing(whole: Path, tmp_path: Path) -> None:
    train(small("data.workers=2"), discover(), "bundled:digits", tmp_path / "workers", lambda event: None)
    assert_same(tmp_path / "workers", whole)


def test_a_seed_changes_everything(whole: Path, tmp_path: Path) -> None:
    train(small("train.seed=1"), discover(), "bundled:digits", tmp_path / "seed", lambda event: None)
    assert any(not torch.equal(value, weights(whole)[name]) for name, value in weights(tmp_path / "seed").items())


def test_accumulated_steps_are_optimiser_steps(tmp_path: Path) -> None:
    """Two micro-batches of 12 a step: schedules, average and checkpoints still count optimiser steps."""
    events: list[dict[str, object]] = []
    train(small("train.accumulate=2"), discover(), "bundled:digits", tmp_path / "run", events.append)
    steps = [event for event in events if event["event"] == "step"]
    assert [event["step"] for event in steps] == list(range(1, 13))
    assert checkpoint.latest(tmp_path / "run") == 12
