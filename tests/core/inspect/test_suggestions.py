"""What a user is told to do with data: which of several sets, how it is cut, what to mind; and that the command that is printed runs."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jepakit.cli.inspect import lines_of
from jepakit.cli.main import main
from jepakit.inspect.examine import Inspection, drawn, inspect
from jepakit.inspect.readings import readings
from jepakit.memory import MemoryReader
from jepakit.plugin_host.host import Host
from jepakit.plugin_host.loader import discover


@pytest.fixture(scope="module")
def host() -> Host:
    return discover()


def look(path: Path, host: Host) -> Inspection:
    return inspect(str(path), host, test=None, only=None, limit=500, emit=lambda event: None)


def said(found: Inspection) -> dict[str, list[str]]:
    """Lines for people, by what stands before them."""
    lines: dict[str, list[str]] = {}
    for name, text in lines_of(found):
        lines.setdefault(name, []).append(text)
    return lines


def random(*shape: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=len(shape))).standard_normal(shape).astype(np.float32)


def runs(command: str) -> bool:
    """Whether the command works as it is printed."""
    return main([*shlex.split(command)[1:], "--dry-run"]) == 0


def test_of_a_folder_the_training_file_is_taken_and_the_test_file_named(tmp_path: Path, host: Host) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (30, 1, 16, 16), dtype=np.uint8)
    for name, count in (("birds_train", 10), ("birds_test", 30), ("fish_test", 20)):
        np.savez(tmp_path / f"{name}.npz", x=pictures[:count], y=np.arange(count) % 2)
    lines = said(look(tmp_path, host))
    assert lines["next"] == [f"jepakit train image --data {tmp_path / 'birds_train.npz'}"]
    assert lines["or first"] == [f"jepakit inspect {tmp_path / 'birds_train.npz'} --test {tmp_path / 'birds_test.npz'}"]
    assert lines["beside it"] == ["birds_test.npz (image, 30), fish_test.npz (image, 20)"]
    assert lines["problem"] == ["10 samples are fewer than a batch of 64: enough to see that it runs, not to learn from"]


@pytest.mark.parametrize(
    ("steps", "ending", "reason"),
    [
        (6000, "::window=512::stride=64", "a series of 6,000 steps is cut into pieces of 512"),
        (20, " --set tokenizer.patch=1", "a series of 20 steps has a token a step"),
        (400, "", None),
    ],
)
def test_series_are_cut_so_that_the_command_runs(tmp_path: Path, host: Host, steps: int, ending: str, reason: str | None) -> None:
    np.savez(tmp_path / "s.npz", x=random(60, 2, steps), sfreq=1 / 3600)
    found = look(tmp_path / "s.npz", host)
    assert found.suggestion.command == f"jepakit train timeseries --data {tmp_path / 's.npz'}{ending}"
    assert runs(found.suggestion.command)
    assert (reason in found.warnings) == (reason is not None)
    assert said(found)["rate"] == ["every 60 min"]


def test_a_path_that_says_how_it_is_read_is_left_as_it_is(tmp_path: Path, host: Host) -> None:
    np.savez(tmp_path / "s.npz", x=random(60, 2, 6000), sfreq=1.0)
    found = inspect(f"{tmp_path / 's.npz'}::window=1000", host, test=None, only="timeseries", limit=5, emit=lambda event: None)
    assert found.suggestion.command == f"jepakit train timeseries --data {tmp_path / 's.npz'}::window=1000"


def test_a_table_without_a_label_is_asked_for_one(tmp_path: Path, host: Host) -> None:
    rows = ["age,income,town", *(f"{20 + row % 50},{'low' if row % 3 else 'high'},{'abc'[row % 3]}" for row in range(80))]
    (tmp_path / "people.csv").write_text("\n".join(rows), encoding="utf-8")
    lines = said(look(tmp_path / "people.csv", host))
    assert any("say which: ::label=COLUMN" in sentence for sentence in lines["warning"])
    assert lines["stream"] == ["main: (3) float64, one value a column"]
    assert lines["training"] == ["80 samples, batches of 256"]
    assert lines["twins"] == ["0 exact"], "rows that differ in one number are no copies"


def test_a_picture_among_sweeps_does_not_make_a_set_of_pictures(tmp_path: Path, host: Host) -> None:
    rng = np.random.default_rng(0)
    for number in range(12):
        sweep = (rng.normal(size=(12_000, 4)) * (30, 30, 2, 1)).astype(np.float32)
        sweep.tofile(tmp_path / f"{number}.bin")
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "contact.png")
    found, _ = readings(str(tmp_path), host)
    assert found[0].name in ("lidar", "pointcloud")
    assert next(one for one in found if one.name == "image" and one.path == str(tmp_path)).fit < 0.5


def test_groups_and_times_in_words(tmp_path: Path, host: Host) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((40, 16, 16), np.uint8), group=np.repeat(["a", "b", "", "c"], 10))
    assert said(look(tmp_path / "a.npz", host))["groups"] == ["3, 10 samples each; 10 samples are in none"]
    np.savez(tmp_path / "s.npz", x=random(40, 1, 100), sfreq=0.02)
    lines = said(look(tmp_path / "s.npz", host))
    assert (lines["rate"], lines["duration"]) == (["every 50 s"], ["83.33 min"])


def test_few_of_large_samples_are_looked_at() -> None:
    large = MemoryReader([np.zeros((1, 1 << 22), np.float32)] * 20, None, kind="timeseries", ids=[str(row) for row in range(20)])
    assert len(drawn(large, 2000)) == 16
