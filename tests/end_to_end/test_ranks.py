"""Several processes train what one would have trained, and stop together, whatever becomes of one of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from jepakit import checkpoint

SMALL = [
    "tokenizer.patch=2", "views.flip=false", "encoder.width=32", "encoder.depth=2", "predictor.width=16", "predictor.depth=1",
    "data.batch=16", "data.limit=100", "data.collate=pad", "train.steps=6", "train.minutes=null", "train.log_every=1",
    "train.precision=float32",
]  # fmt: skip


def command(run: Path, *more: str, data: str = "bundled:digits", changes: tuple[str, ...] = ()) -> list[str]:
    options = [word for change in (*SMALL, *changes) for word in ("--set", change)]
    return ["train", "image-quick", "--data", data, "--out", str(run), *options, *more]


def start(*arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "jepakit", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def finish(*arguments: str) -> tuple[int, str]:
    """Exit code and errors of one command line."""
    child = start(*arguments)
    _, errors = child.communicate(timeout=120)
    return child.returncode, errors


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "two"
    assert finish(*command(run, "--ranks", "2")) == (0, "")
    return run


def test_two_processes_train_what_one_does(two: Path, tmp_path: Path) -> None:
    assert finish(*command(tmp_path / "one")) == (0, "")
    assert losses(two) == pytest.approx(losses(tmp_path / "one"), abs=1e-4)
    ours, theirs = (checkpoint.load_latest(run).tensors for run in (two, tmp_path / "one"))
    name = "model/backbone.encoder.blocks.0.mlp.inner.weight"
    torch.testing.assert_close(ours[name], theirs[name], atol=2e-3, rtol=0)


def test_the_run_says_how_many_trained_it(two: Path) -> None:
    assert json.loads((two / "environment.json").read_text())["ranks"] == 2
    assert len(losses(two)) == 6


def test_sigterm_saves_and_two_processes_go_on_bit_for_bit(two: Path, tmp_path: Path) -> None:
    run = tmp_path / "stopped"
    child = start(*command(run, "--ranks", "2", "--json"))
    assert child.stdout is not None
    next(line for line in child.stdout if '"step": 2' in line)
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=60)
    assert child.returncode == 143
    stopped_at = checkpoint.latest(run)
    assert stopped_at is not None
    assert 2 <= stopped_at < 6
    assert finish("resume", str(run), "--ranks", "2") == (0, "")
    ours, theirs = (checkpoint.load_latest(path).tensors for path in (run, two))
    assert [name for name in theirs if not torch.equal(ours[name], theirs[name])] == []


def signalled(run: Path, number: signal.Signals) -> tuple[int, list[str], str]:
    """Exit code, output and errors of a run whose other process gets a signal after two steps."""
    child = start(*command(run, "--ranks", "2", "--json", changes=("train.steps=500",)))
    assert child.stdout is not None
    next(line for line in child.stdout if '"step": 2' in line)
    (other,) = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    os.kill(int(other), number)
    out, errors = child.communicate(timeout=60)
    return child.returncode, out.splitlines(), errors


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks Linux for the number of the other process")
def test_a_signal_to_one_stops_all_with_a_checkpoint(tmp_path: Path) -> None:
    code, lines, _ = signalled(tmp_path / "run", signal.SIGTERM)
    last = json.loads(lines[-1])
    assert (code, last["status"]) == (1, "interrupted")
    assert "stopped by another of its processes" in last["sentence"]
    assert checkpoint.latest(tmp_path / "run") == last["step"]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks Linux for the number of the other process")
def test_nothing_is_lost_with_one_that_is_killed(tmp_path: Path) -> None:
    code, _, errors = signalled(tmp_path / "run", signal.SIGKILL)
    assert code == 1
    assert "process 1 of this run: it was ended by signal 9" in errors
    assert checkpoint.latest(tmp_path / "run") == len(losses(tmp_path / "run")) >= 2


def test_the_end_of_one_is_told_by_the_other(tmp_path: Path) -> None:
    """Image number 7 is the only one that can't be read; whichever process meets it, its sentence is the one that is shown."""
    folder = tmp_path / "images"
    folder.mkdir()
    from PIL import Image

    for number in range(16):
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / f"{number:02d}.png")
    whole = (folder / "07.png").read_bytes()
    (folder / "07.png").write_bytes(whole[:60] + b"\0" * (len(whole) - 60))
    code, errors = finish(*command(tmp_path / "run", "--ranks", "2", data=str(folder)))
    assert code == 1
    assert "07.png" in errors
    assert errors.count("\n") == 1


def test_ranks_and_torchrun_exclude_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    code, errors = finish(*command(tmp_path / "run", "--ranks", "2"))
    assert code == 2
    assert "--ranks 2 inside torchrun" in errors


def test_a_batch_that_can_t_be_shared_is_refused(tmp_path: Path) -> None:
    code, errors = finish(*command(tmp_path / "run", "--ranks", "3"))
    assert code == 1
    assert "a batch of 16 samples can't be shared evenly by 3 processes" in errors
    assert errors.count("\n") == 1
