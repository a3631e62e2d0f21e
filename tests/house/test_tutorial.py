"""docs/write_a_plugin.md does what it says: its blocks are written to files and its commands are run, in order."""

from __future__ import annotations

import ast
import re
import shlex
import sys
from pathlib import Path

import pytest

from jepakit.cli.main import main

PAGE = (Path(__file__).parents[2] / "docs" / "write_a_plugin.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FILES = {info.removeprefix("file="): text for _, info, text in BLOCKS if info.startswith("file=")}
COMMANDS = [line for kind, info, text in BLOCKS if kind == "console" and info != "skip" for line in text.splitlines()]
SHORT = {
    "train": ["--set", "data.batch=16", "--set", "data.limit=64"],
    "eval": [],
    "plugins": ["--set", "encoder.width=16", "--set", "encoder.depth=1"],
}
"""What makes the commands fast enough for a test; nothing of what they show changes."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tutorial")
    for name, text in FILES.items():
        (made / name).write_text(text, encoding="utf-8")
    return made


def test_the_page_has_what_is_tested() -> None:
    assert set(FILES) == {"thermal.py", "thermal.yaml", "test_contract.py"}
    assert [command.split()[1] for command in COMMANDS] == ["train", "eval", "plugins"]


def test_a_modality_takes_at_most_sixty_lines() -> None:
    ast.parse(FILES["thermal.py"])
    assert len([line for line in FILES["thermal.py"].splitlines() if line.strip()]) <= 60


def test_commands_work(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    try:
        for command in COMMANDS:
            words = shlex.split(command)[1:]
            if words[0] == "train":
                words[words.index("--steps") + 1] = "4"
            code = main([*words, *SHORT[words[0]]])
            said = capsys.readouterr()
            assert code == 0, f"{command}: {said.out} {said.err}"
    finally:
        sys.modules.pop("thermal", None)


def test_eval_without_the_file_says_what_is_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert (folder / "run").is_dir(), "the commands run first"
    assert main(["eval", "run", "--data", "synthetic"]) != 0
    assert "--plugin" in capsys.readouterr().err
