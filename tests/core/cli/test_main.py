"""The edge: exit codes, one sentence and no traceback for every error, and a help that imports nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jepakit.cli import main as edge
from jepakit.cli.main import main
from jepakit.cli.policy import take_policy
from jepakit.errors import ConfigError, DataError, JepakitError, PluginError, TrainingStopped, UsageError


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("JEPAKIT_TRACEBACK", "JEPAKIT_PLUGINS"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(
    ("line", "code", "sentence"),
    [
        ("", 0, ""),
        ("--help", 0, ""),
        ("--version", 0, ""),
        ("train --help", 0, ""),
        ("recipes list", 0, ""),
        ("plugins list", 0, ""),
        ("trian", 2, "no command named 'trian'. Did you mean 'train'?"),
        ("train", 2, "Missing argument 'RECIPE'"),
        ("train image", 2, "Missing option '--data'"),
        ("train image --data x --speed 3", 2, "No such option"),
        ("train image --data x --steps 5 --minutes 1", 2, "--steps and --minutes exclude each other"),
        ("train image --data x --steps 0", 2, "--steps"),
        ("train image --data x --steps many", 2, "--steps"),
        ("train image --data x --plugin nowhere.py", 2, "nowhere.py"),
        ("train image --data x --no-plugins=nobody", 2, "no plugin named 'nobody'"),
        ("train imgae --data x", 1, "no recipe named 'imgae'. "),
        ("train nowhere.yaml --data x", 1, "recipe nowhere.yaml can't be read"),
        ("train image --data x --set masker.tragets=3", 1, "Did you mean 'targets'?"),
        ("train image --data x --set encoder.width=abc", 1, "encoder.width: expected a valid integer, got 'abc'"),
        ("train image --data x --set train.minutes=1", 1, "exclude each other"),
        ("train image --data x --set masker", 1, "expected key=value"),
        ("train image --data nowhere --out run", 1, "nowhere"),
        ("train image --data nowhere --dry-run", 1, "nowhere"),
        ("resume nowhere", 1, "nowhere is not a run"),
        ("eval nowhere --data bundled:digits", 1, "nowhere is not a run"),
        ("eval nowhere --data x", 1, "nowhere"),
        ("eval", 2, "Missing argument"),
        ("report nowhere", 1, "nowhere"),
        ("recipes show imgae", 1, "Did you mean 'image'?"),
        ("plugins", 2, "Missing command"),
        ("plugins lits", 2, "lits"),
    ],
)
def test_every_line_ends_with_its_code_and_one_sentence(line: str, code: int, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == code
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said
    assert said.startswith("error: ") == (code != 0)


def test_nothing_is_written_when_the_config_is_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["train", "image", "--data", "x", "--set", "masker.tragets=3", "--out", "run"])
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (JepakitError("so"), 1),
        (ConfigError("so"), 1),
        (DataError("so"), 1),
        (UsageError("so"), 2),
        (PluginError("so"), 3),
        (TrainingStopped("so"), 4),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("so"), 1),
    ],
)
def test_error_becomes_its_exit_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def raises(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(edge.cli, "main", raises)
    assert main(["doctor"]) == code
    assert "Traceback" not in capsys.readouterr().err
    monkeypatch.setenv("JEPAKIT_TRACEBACK", "1")
    assert main(["doctor"]) == code
    assert "Traceback" in capsys.readouterr().err


def test_return_value_of_a_command_is_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge.cli, "main", lambda *_, **__: 143)
    assert main(["doctor"]) == 143


@pytest.mark.parametrize("line", [["--help"], ["train", "--help"], ["plugins", "list"], ["recipes", "list"]])
def test_help_and_lists_import_nothing_heavy(line: list[str]) -> None:
    heavy = "{'torch', 'numpy', 'pandas', 'pydantic', 'sklearn', 'matplotlib'} & set(sys.modules)"
    code = f"import sys\nfrom jepakit.cli.main import main\ncode = main({line!r})\nsys.exit(code or ' '.join({heavy}) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("line", "key"), [("recipes list --json", "recipes"), ("plugins list --json", "plugins"), ("doctor --json", "checks")]
)
def test_listing_as_json_is_one_object(line: str, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 1
    assert json.loads(out)[key]


def test_recipes_show_prints_what_can_be_trained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "show", "image"]) == 0
    assert "modality: image" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "environment", "disabled", "allow", "rest"),
    [
        ("train a", {}, set(), None, "train a"),
        ("train a --no-plugins", {}, set(), set(), "train a"),
        ("--no-plugins train a", {}, set(), set(), "train a"),
        ("--no-plugins=x, train", {}, {"x"}, None, "train"),
        ("train --no-plugins=x,y --no-plugins=z", {}, {"x", "y", "z"}, None, "train"),
        ("train", {"JEPAKIT_PLUGINS": "x, y"}, set(), {"x", "y"}, "train"),
        ("train", {"JEPAKIT_PLUGINS": ""}, set(), set(), "train"),
        ("train --no-plugins", {"JEPAKIT_PLUGINS": "x"}, set(), set(), "train"),
        ("train -- --no-plugins", {}, set(), None, "train -- --no-plugins"),
    ],
)
def test_off_switches_are_taken_from_line_and_environment(
    line: str, environment: dict[str, str], disabled: set[str], allow: set[str] | None, rest: str
) -> None:
    policy, left = take_policy(line.split(), environment)
    assert (policy.disabled, policy.allow, left) == (disabled, allow, rest.split())


@pytest.mark.parametrize("line", ["train x", "train x --no-plugins", "train x --no-plugins=b,a", "train x --no-plugins --no-plugins=c"])
def test_a_policy_can_be_handed_to_another_process(line: str) -> None:
    policy, left = take_policy(line.split(), {})
    assert take_policy([*left, *policy.arguments()], {}) == (policy, left)
