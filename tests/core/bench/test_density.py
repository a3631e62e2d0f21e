"""Areas under the curve of known orders, and a real encoder's score of samples from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from jepakit.bench.density import DISTANCE, SCORE, compared, spread
from jepakit.cli.main import main
from jepakit.contracts import Sample
from jepakit.embed.samples import GivenSamples


def test_a_number_that_orders_all_foreign_samples_above_has_area_one_and_noise_half() -> None:
    rng = np.random.default_rng(0)
    own = {SCORE: np.arange(40.0), DISTANCE: rng.normal(size=40)}
    foreign = {SCORE: np.arange(40.0, 80.0), DISTANCE: rng.normal(size=40)}
    score, distance = compared(own, foreign, 0)
    assert (score.value, score.low, score.high, score.gain) == (1.0, 1.0, 1.0, (0.0, 0.0))
    assert distance.low < 0.5 < distance.high
    assert distance.gain[0] > 0.2
    assert compared(foreign, own, 0)[0].value == 0.0


def test_samples_are_spread_evenly() -> None:
    reader = GivenSamples([Sample({"main": np.zeros(1)}, str(row)) for row in range(10)], {"kind": "k"})
    chosen = spread(reader, 4)
    assert [chosen.read(row).id for row in range(len(chosen))] == ["0", "3", "6", "9"]
    assert len(spread(reader, 99)) == 10


def test_the_command_scores_samples_of_both_sources(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = ("tokenizer.patch=4", "encoder.width=16", "encoder.depth=1", "predictor.depth=1", "transform.levels=[-1]", "data.limit=64")
    given = [part for change in changes for part in ("--set", change)]
    train = [
        "train",
        "image-quick",
        "--data",
        "bundled:digits",
        "--steps",
        "2",
        *given,
        "--set",
        "views=null",
        "--out",
        str(tmp_path / "run"),
    ]
    assert main(train) == 0
    np.savez(tmp_path / "noise.npz", x=np.random.default_rng(0).integers(0, 256, (12, 1, 8, 8), dtype=np.uint8))
    capsys.readouterr()
    command = ["bench", "density", str(tmp_path / "run"), "--data", "bundled:digits", "--against", str(tmp_path / "noise.npz")]
    assert main([*command, "--limit", "12", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["own"], found["foreign"], found["lines"][0]["name"]) == (12, 12, SCORE)
    assert all(0 <= line["low"] <= line["high"] <= 1 for line in found["lines"])
    assert main([*command[:-1], "bundled:nothing"]) == 1
