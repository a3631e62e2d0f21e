"""One digest says what a distribution consists of: the wheel, what was installed from it, `plugins freeze` and a run agree on it."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from wheels import make_wheel

from jepakit.plugin_host.content import content_now, is_editable
from jepakit.plugin_host.freeze import freeze
from jepakit.plugin_host.loader import discover
from jepakit.plugin_host.provenance import provenance
from jepakit.plugin_host.wheel import inspect

sys.path.pop(0)


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A plugin's wheel, unpacked into a folder on sys.path, as pip does."""
    path = make_wheel(tmp_path, "zoo-heron", files={"zoo_heron_data/facts.yaml": "x: 1\n"})
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    yield path
    sys.modules.pop("zoo_heron", None)


def _remembered() -> str:
    return provenance("zoo-heron", discover().plugins)["hash"]


def test_wheel_frozen_file_and_run_agree(wheel: Path) -> None:
    (frozen,) = [one for one in freeze() if one.distribution == "zoo-heron"]
    assert inspect(wheel).content == frozen.content == _remembered()


@pytest.mark.parametrize("file", ["zoo_heron.py", "zoo_heron_data/facts.yaml"])
def test_an_edited_or_removed_file_is_seen(file: str, wheel: Path) -> None:
    path, before = wheel.parent / "site" / file, _remembered()
    path.write_text(path.read_text() + "# edited\n")
    edited = content_now(distribution("zoo-heron"))
    if file.endswith(".yaml"):
        path.unlink()
    assert len({before, edited, content_now(distribution("zoo-heron"))}) == (3 if file.endswith(".yaml") else 2)


def test_what_changes_with_a_folder_is_told_apart(wheel: Path) -> None:
    info = wheel.parent / "site" / "zoo_heron-1.0.dist-info" / "direct_url.json"
    assert not is_editable(distribution("zoo-heron"))
    info.write_text('{"url": "file:///somewhere", "dir_info": {"editable": true}}')
    assert is_editable(distribution("zoo-heron"))
    info.write_text("not json")
    assert not is_editable(distribution("zoo-heron"))
