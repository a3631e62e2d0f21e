"""`plugins new`: what it writes is a plugin that is found, reads files, trains and is evaluated; and it never overwrites."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from jepakit import scaffold
from jepakit.cli.main import main
from jepakit.errors import UsageError
from jepakit.plugin_host.loader import discover
from jepakit.scaffold import TEMPLATE, Answers, check_name, create, kinds, render

KINDS = kinds()
NAME = "jepakit-tide-gauge"
Made = Callable[[str], Path]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """made("image"): a package in a folder of its own, installed as an editable one is: on sys.path, with metadata beside it."""
    monkeypatch.chdir(tmp_path)

    def make(kind: str) -> Path:
        folder = create(NAME, kind, tmp_path / "made", discover())
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        info = folder / "jepakit_tide_gauge-0.1.0.dist-info"
        info.mkdir()
        points = "".join(f"{key} = {value}\n" for key, value in project["entry-points"]["jepakit"].items())
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
        (info / "entry_points.txt").write_text(f"[jepakit]\n{points}")
        monkeypatch.syspath_prepend(folder)
        return folder

    yield make
    for module in [name for name in sys.modules if name.startswith("jepakit_tide_gauge")]:
        del sys.modules[module]


@pytest.mark.parametrize("kind", KINDS)
def test_plugin_is_found_and_trains(kind: str, made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(kind)
    (status,) = [status for status in discover().plugins if status.distribution == NAME]
    assert (status.state, status.reason) == ("ok", "")
    small = ["--set", "encoder.width=16", "--set", "encoder.depth=1", "--set", "predictor.width=16", "--set", "predictor.depth=1"]
    few = ["--set", "data.limit=64", "--set", "data.batch=16", "--steps", "3"]
    assert main(["train", "tide-gauge", "--data", "synthetic", "--out", "run", *small, *few]) == 0
    loss = [json.loads(line)["loss"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines() if '"loss"' in line]
    assert loss
    assert all(value > 0 for value in loss)
    assert "jepakit eval run" in capsys.readouterr().out


@pytest.mark.parametrize("kind", KINDS)
def test_package_keeps_to_its_own_tests_and_style(kind: str, made: Made) -> None:
    folder = made(kind)
    checks = (["ruff", "check"], ["ruff", "format", "--check"], ["pytest", "-q", "-p", "no:cacheprovider", "tests/test_data.py"])
    for check in checks if kind == KINDS[0] else checks[:2]:
        done = subprocess.run([sys.executable, "-m", *check], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_differs_but_by_name_and_nothing_of_the_template_is_left(made: Made) -> None:
    folder = made("points")
    files = [path for path in folder.rglob("*") if path.is_file() and ".dist-info" not in path.parent.name]
    assert {path.name for path in files} >= {"LICENSE", "README.md", ".gitignore", "test.yml", "publish.yml", "tide-gauge.yaml"}
    for path in files:
        text = path.read_text(encoding="utf-8").replace("${{", "")
        assert "{{" not in text
        assert "{%" not in text
        assert path.suffix != ".jinja"
        if path.suffix in (".yml", ".yaml"):
            yaml.safe_load(text)
    publish = yaml.safe_load((folder / ".github/workflows/publish.yml").read_text())
    assert publish["jobs"]["upload"]["permissions"] == {"id-token": "write"}
    assert "password" not in str(publish["jobs"])
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    "name", ["", "Jepakit-Foo", "jepakit_foo", "jepakit--foo", "-foo", "1foo", "foo/..", "../foo", "föö", "a" * 51, "foo\n"]
)
def test_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="can't be the name of a package; expected lower-case letters"):
        check_name(name, discover())


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("json", "a module of Python"),
        ("class", "a module of Python"),
        ("jepakit", "a module of Python or of jepakit"),
        ("jepakitt", "could be taken for the known plugin jepakit"),
        ("jepakit-image", "'image' is a modality or recipe of an installed plugin already"),
    ],
)
def test_name_that_would_clash_is_refused(name: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        check_name(name, discover())


@pytest.mark.parametrize("there", ["folder", "file", "link"])
def test_nothing_is_overwritten(there: str, tmp_path: Path) -> None:
    place = tmp_path / NAME
    if there == "folder":
        place.mkdir()
    elif there == "file":
        place.write_text("mine")
    else:
        place.symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="is there already and is not touched"):
        create(NAME, "image", tmp_path, discover())
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(answers: Answers) -> Iterator[tuple[Path, bytes]]:
        yield from list(render(answers))[:3]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scaffold, "render", breaks)
    with pytest.raises(UsageError, match="can't be written: No space left on device"):
        create(NAME, "image", tmp_path, discover())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "code", "sentence"),
    [
        ("plugins new", 2, "Missing argument 'NAME'"),
        ("plugins new jepakit-foo", 2, "--modality"),
        ("plugins new jepakit-foo --modality imge", 2, "Did you mean 'image'?"),
        ("plugins new Foo --modality image", 2, "lower-case letters"),
    ],
)
def test_line_that_is_off_ends_in_one_sentence(
    line: str, code: int, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(line.split()) == code
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_next_steps_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "new", NAME, "--modality", "table", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "jepakit train tide-gauge --data synthetic" in said
    assert main(["plugins", "new", "jepakit-moon", "--modality", "table", "--out", str(tmp_path), "--json"]) == 0
    assert "jepakit_moon/plugin.py" in json.loads(capsys.readouterr().out)["files"]


def test_copier_writes_the_same(tmp_path: Path) -> None:
    """The template is a copier template as well, so that an author can ask it again."""
    pytest.importorskip("copier", reason="the extra `authoring` is not installed")
    command = [sys.executable, "-m", "copier", "copy", "--quiet", "--defaults", "-d", f"name={NAME}", "-d", "modality=points"]
    subprocess.run([*command, str(TEMPLATE), str(tmp_path / "copied")], check=True, capture_output=True)
    copied = {path.relative_to(tmp_path / "copied"): path.read_bytes() for path in (tmp_path / "copied").rglob("*") if path.is_file()}
    assert copied == dict(render(Answers(NAME, "points")))
