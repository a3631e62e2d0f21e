"""train, resume, eval: what they hand to the engine and what they print, with an engine that only listens."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import jepakit
from jepakit.cli.main import main
from jepakit.cli.train import free_folder, next_command


@dataclass(frozen=True)
class Result:
    status: str
    exit_code: int
    step: int = 7
    sentence: str = "all is well"


@dataclass(frozen=True)
class Evaluation:
    pooling: str = "mean+std"
    sentence: str = "The encoder learned."
    notes: tuple[str, ...] = ("few labels",)
    pooling_scores: Mapping[str, float | None] = field(default_factory=lambda: {"mean": 0.2, "mean+std": 0.75})
    pooling_scores_untrained: Mapping[str, float | None] = field(default_factory=lambda: {"mean": None, "mean+std": 0.25})

    def to_json(self) -> dict[str, Any]:
        row = {"probe": "linear", "labels": "all", "metric": "accuracy", "low": 0.1, "high": 0.3}
        return {"rows": [{**row, "row": "encoder", "value": 0.25}, {**row, "row": "raw", "value": 0.2}], "sentence": self.sentence}


class Plan:
    def to_json(self) -> dict[str, Any]:
        return {"steps": 5}

    def lines(self) -> list[str]:
        return ["5 steps"]


class Engine(ModuleType):
    """Stands in for jepakit.engine and remembers what it was asked."""

    def __init__(self, result: Result) -> None:
        super().__init__("jepakit.engine")
        self.result, self.asked = result, dict[str, Any]()

    def plan(self, config: Any, host: Any, data: str) -> Plan:
        self.asked["plan"] = (config, data)
        return Plan()

    def train(self, config: Any, host: Any, data: str, out: Path, emit: Any) -> Result:
        self.asked["train"] = (config, data, out)
        emit({"event": "step", "step": 7, "total": 7, "loss": 0.5})
        return self.result

    def resume(self, run: Path, host: Any, emit: Any) -> Result:
        self.asked["resume"] = run
        return self.result

    def evaluate_run(
        self, run: Path, host: Any, data: str, test: str | None, emit: Any, overrides: Sequence[str] = (), *, which: str = "latest"
    ) -> Evaluation:
        self.asked["eval"] = (run, data, test)
        self.asked["overrides"], self.asked["checkpoint"] = tuple(overrides), which
        return Evaluation()


@pytest.fixture
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    made = Engine(getattr(request, "param", Result("finished", 0)))
    monkeypatch.setitem(sys.modules, "jepakit.engine", made)
    monkeypatch.setattr(jepakit, "engine", made, raising=False)
    monkeypatch.chdir(tmp_path)
    return made


def test_options_reach_the_engine(engine: Engine) -> None:
    line = "train image --data D --set encoder.width=96 --set train.seed=1 --steps 5 --seed 3 --on-collapse stop --out there"
    assert main(line.split()) == 0
    config, data, out = engine.asked["train"]
    assert (config.encoder.settings.width, config.train.steps, config.train.seed, data, out) == (96, 5, 3, "D", Path("there"))
    assert config.train.on_collapse == "stop"


def test_minutes_take_the_place_of_the_recipe_steps(engine: Engine) -> None:
    assert main(["train", "image", "--data", "D", "--minutes", "2"]) == 0
    assert (engine.asked["train"][0].train.steps, engine.asked["train"][0].train.minutes) == (None, 2.0)


def test_end_names_the_run_and_what_to_type_next(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    main(["train", "image", "--data", "D"])
    out = capsys.readouterr().out
    assert "step 7/7" in out
    assert "finished at step 7: all is well" in out
    assert "jepakit eval runs/image-1 --data D --test TEST" in out


def test_json_is_one_object_a_line(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    main(["train", "image", "--data", "D", "--test", "T", "--json"])
    lines = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert lines == ["step", "done", "evaluation"]


def test_dry_run_trains_nothing(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "image", "--data", "D", "--dry-run"]) == 0
    assert set(engine.asked) == {"plan"}
    assert capsys.readouterr().out == "5 steps\n"
    main(["train", "image", "--data", "D", "--dry-run", "--json"])
    assert json.loads(capsys.readouterr().out) == {"event": "plan", "steps": 5}


def test_test_data_is_evaluated_after_training(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "image", "--data", "D", "--test", "T", "--out", "r"]) == 0
    assert engine.asked["eval"] == (Path("r"), "D", "T")
    assert "jepakit report r" in capsys.readouterr().out


@pytest.mark.parametrize("engine", [Result("collapsed", 4), Result("interrupted", 130), Result("interrupted", 143)], indirect=True)
def test_exit_code_of_the_run_is_that_of_the_command(engine: Engine) -> None:
    assert main(["train", "image", "--data", "D", "--test", "T"]) == engine.result.exit_code
    assert "eval" not in engine.asked
    assert main(["resume", "there"]) == engine.result.exit_code


def test_eval_prints_rows_pooling_and_verdict(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "r", "--data", "D", "--test", "T", "--set", "evaluate.draws=3", "--checkpoint", "best"]) == 0
    assert (engine.asked["overrides"], engine.asked["checkpoint"]) == (("evaluate.draws=3",), "best")
    out = capsys.readouterr().out
    for part in ("encoder", "25.0 % * (10.0 – 30.0)", "20.0 %", "mean+std *", "0.500", "few labels", "The encoder learned."):
        assert part in out
    assert engine.asked["eval"] == (Path("r"), "D", "T")


def test_eval_as_json_ends_with_one_object(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    main(["eval", "r", "--data", "D", "--json"])
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["sentence"] == "The encoder learned."


def test_free_folder_is_the_first_number_not_taken(tmp_path: Path) -> None:
    (tmp_path / "image-1").mkdir()
    (tmp_path / "image-2").touch()
    assert free_folder(tmp_path, "zoo/image").name == "image-3"


@pytest.mark.parametrize(
    ("data", "test", "status", "command"),
    [
        ("D", None, "finished", "jepakit eval r --data D --test TEST"),
        ("bundled:photos", None, "finished", "jepakit eval r --data bundled:photos"),
        ("synthetic", None, "collapsed", "jepakit eval r --data synthetic"),
        ("D", "T", "finished", "jepakit report r"),
        ("D", None, "interrupted", "jepakit resume r"),
    ],
)
def test_next_command(data: str, test: str | None, status: str, command: str) -> None:
    assert next_command(Path("r"), data, test, status).splitlines()[-1].removeprefix("next  ") == command
