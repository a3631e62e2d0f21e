"""`train.probe_every`: training samples judge the encoder while it trains, the best checkpoint is kept, and nothing else changes."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jepakit import checkpoint, engine
from jepakit.build import build, build_modality
from jepakit.cli.main import main
from jepakit.config import load_config
from jepakit.errors import DataError
from jepakit.evaluate.during import TrainingProbe
from jepakit.plugin_host.host import Host
from jepakit.plugin_host.loader import discover
from jepakit.run_index.best import choose
from jepakit.run_index.summary import summarise
from jepakit_modalities.image import bundled

SMALL = ("tokenizer.patch=4", "encoder.depth=2", "encoder.width=32", "predictor.depth=1", "data.batch=16", "views.flip=false",
         "transform.levels=[0,-1]", "evaluate.poolings=[mean]", "train.log_every=5")  # fmt: skip


@pytest.fixture(scope="module")
def host() -> Host:
    return discover()


def run(out: Path, host: Host, *changes: str, steps: int = 20, data: str = "bundled:digits") -> Path:
    config = load_config("image-quick", (*SMALL, "train.minutes=null", f"train.steps={steps}", *changes), host)
    engine.train(config, host, data, out, lambda event: None)
    return out


def steps_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def probes_of(out: Path) -> dict[int, float]:
    return {record["step"]: record["probe"] for record in steps_of(out) if "probe" in record}


def weights(out: Path, which: str = "latest") -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in checkpoint.load_named(out, which).tensors.items()}


def test_the_weights_are_those_of_a_run_without_it(tmp_path: Path, host: Host) -> None:
    probed = run(tmp_path / "with", host, "train.probe_every=4", "train.probe_samples=120")
    plain = run(tmp_path / "without", host)
    ours, theirs = weights(probed), weights(plain)
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)
    same = [{key: record.get(key) for key in ("step", "loss", "rank")} for record in steps_of(probed) if record["step"] % 5 == 0]
    assert same == [{key: record.get(key) for key in ("step", "loss", "rank")} for record in steps_of(plain)]


def test_the_best_by_the_probe_is_kept_and_is_what_best_means(tmp_path: Path, host: Host) -> None:
    out = run(tmp_path / "run", host, "train.probe_every=4", "train.probe_samples=150", steps=24)
    found = probes_of(out)
    assert list(found) == [4, 8, 12, 16, 20, 24]
    assert all(0.1 < value <= 1 for value in found.values()), "accuracy of ten classes"
    winner = max(found, key=lambda step: (found[step], -step))
    assert checkpoint.best(out) == winner
    assert "probe on training samples" in choose([summarise(out)]).rule


def test_stopping_and_going_on_changes_neither_weights_nor_the_best(tmp_path: Path, host: Host) -> None:
    options = ("train.probe_every=4", "train.probe_samples=150")
    whole = run(tmp_path / "whole", host, *options, steps=24)
    halves = run_stopped_at_twelve(tmp_path / "stopped", host, options)
    engine.resume(halves, host, lambda event: None)
    assert probes_of(halves) == probes_of(whole)
    assert checkpoint.best(halves) == checkpoint.best(whole)
    for name, value in weights(halves).items():
        np.testing.assert_array_equal(value, weights(whole)[name], err_msg=name)


def run_stopped_at_twelve(out: Path, host: Host, options: tuple[str, ...]) -> Path:
    """The same run, which a signal ends after step 12."""

    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["step"] == 12:
            os.kill(os.getpid(), signal.SIGINT)

    config = load_config("image-quick", (*SMALL, "train.minutes=null", "train.steps=24", *options), host)
    assert engine.train(config, host, "bundled:digits", out, stop).status == "interrupted"
    assert checkpoint.latest(out) == 12
    return out


def test_the_test_split_is_never_opened(tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    digits = bundled.digits

    def watched(split: str) -> Any:
        asked.append(split)
        return digits(split)

    monkeypatch.setitem(bundled.SETS, "digits", watched)
    run(tmp_path / "run", host, "train.probe_every=5", "train.probe_samples=100", steps=5)
    assert set(asked) == {"train"}


def test_data_without_labels_is_refused_before_the_first_step(tmp_path: Path, host: Host) -> None:
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8))
    with pytest.raises(DataError, match=r"train\.probe_every: .*has no label"):
        run(tmp_path / "run", host, "train.probe_every=5", data=str(tmp_path / "x.npz"))


def test_groups_several_classes_and_numbers_are_judged_too(tmp_path: Path, host: Host) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "several.npz", x=x, y=rng.integers(0, 2, (60, 3)))
    np.savez(tmp_path / "numbers.npz", x=x, y=rng.normal(size=60), group=np.repeat(list("abcdef"), 10))
    np.savez(tmp_path / "dense.npz", x=x, y=rng.integers(0, 3, (60, 8, 8)))
    for name in ("several", "numbers", "dense"):
        found = probes_of(run(tmp_path / name, host, "train.probe_every=2", steps=2, data=str(tmp_path / f"{name}.npz")))
        assert list(found) == [2]
        assert np.isfinite(found[2])


def test_modules_are_left_in_their_mode(host: Host) -> None:
    config = load_config("image-quick", (*SMALL, "train.probe_samples=60", "evaluate.encoder=context"), host)
    modality = build_modality(config, host)
    reader = modality.open("bundled:digits", "train")
    parts = build(config, host, reader.spec(), modality)
    parts.jepa.train()
    before = [module.training for module in parts.jepa.modules()]
    probe = TrainingProbe(config, parts, reader)
    assert probe() == probe()
    assert [module.training for module in parts.jepa.modules()] == before


def test_the_command_and_the_report_show_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = [part for change in (*SMALL, "train.probe_every=4", "train.probe_samples=100") for part in ("--set", change)]
    assert main(["train", "image-quick", "--data", "bundled:digits", "--steps", "4", "--out", str(tmp_path / "run"), *changes]) == 0
    assert "  probe 0." in capsys.readouterr().out
    assert main(["report", str(tmp_path / "run")]) == 0
    assert "Cross-validated on labelled training samples" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
