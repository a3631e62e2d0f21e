"""Data looked at before training: who reads it, what is in it, what is there twice, what leaks, which recipe fits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jepakit.cli.main import main
from jepakit.contracts import Sample
from jepakit.errors import DataError
from jepakit.inspect.contents import labels_of
from jepakit.inspect.examine import Inspection, inspect
from jepakit.inspect.readings import readings
from jepakit.inspect.twins import leaks_between, near, near_across, twins_within
from jepakit.plugin_host.host import Host
from jepakit.plugin_host.loader import discover


@pytest.fixture(scope="module")
def host() -> Host:
    return discover()


def look(path: Path, host: Host, test: Path | None = None, **options: Any) -> Inspection:
    return inspect(
        str(path),
        host,
        test=None if test is None else str(test),
        only=options.get("only"),
        limit=options.get("limit", 500),
        emit=lambda event: None,
    )


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=seed)).integers(0, 256, (count, 1, 16, 16), dtype=np.uint8)


def test_labelled_pictures(tmp_path: Path, host: Host) -> None:
    path = tmp_path / "train.npz"
    np.savez(path, x=pictures(60), y=np.repeat([0, 1], [45, 15]))
    found = look(path, host)
    assert (found.modality, found.format, found.contents.count) == ("image", ".npz", 60)
    assert found.contents.streams["main"]["largest"] == [1, 16, 16]
    assert (found.contents.streams["main"]["low"], found.contents.streams["main"]["high"]) == (0, 255)
    assert found.contents.labels["classes"] == {"0": 45, "1": 15}
    assert found.contents.labels["majority"] == 0.75
    assert (found.twins.exact, found.twins.near, found.warnings) == (0, 0, ())
    assert found.suggestion.recipe == "image"
    assert found.suggestion.command == f"jepakit train image --data {path}"


def test_copies_and_near_copies_are_found(tmp_path: Path, host: Host) -> None:
    x = pictures(60)
    x[10] = x[3]
    x[20] = np.clip(x[5].astype(int) + 2, 0, 255)
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(60) % 2)
    found = look(tmp_path / "a.npz", host)
    assert (found.twins.exact, found.twins.conflicting, found.twins.near) == (1, 1, 1)
    assert found.twins.exact_pairs[0][0].endswith("3")
    assert found.twins.near_pairs[0][1].endswith("20")
    assert any("1 of them with another label" in sentence for sentence in found.warnings)


def test_leaks_across_two_sets(tmp_path: Path, host: Host) -> None:
    train, test = pictures(50), pictures(20, seed=1)
    test[4] = train[7]
    test[5] = np.clip(train[8].astype(int) + 2, 0, 255)
    np.savez(tmp_path / "a.npz", x=train, y=np.arange(50) % 2)
    np.savez(tmp_path / "b.npz", x=test, y=np.arange(20) % 2)
    leaks = look(tmp_path / "a.npz", host, tmp_path / "b.npz").leaks
    assert leaks is not None
    assert (leaks.exact, leaks.near, leaks.groups) == (1, 1, 0)
    clean = look(tmp_path / "a.npz", host, tmp_path / "a.npz").leaks
    assert clean is not None
    assert clean.exact == 50
    np.savez(tmp_path / "c.npz", x=np.repeat(test, 3, axis=1), y=np.arange(20) % 2)
    assert any("another channels: 3, not 1" in sentence for sentence in look(tmp_path / "a.npz", host, tmp_path / "c.npz").warnings)


def test_a_group_on_both_sides_leaks() -> None:
    ours = [Sample({"main": np.full(4, row)}, id=f"a{row}", group=f"person {row % 3}") for row in range(6)]
    theirs = [Sample({"main": np.full(4, 10 + row)}, id=f"b{row}", group=f"person {row + 2}") for row in range(2)]
    leaks = leaks_between(ours, theirs, None)
    assert (leaks.exact, leaks.near, leaks.groups, leaks.group_names) == (0, None, 1, ("person 2",))
    assert leaks_between(ours, [replace(one, group=None) for one in theirs], None).groups == 0


def test_shape_and_type_are_part_of_what_is_equal() -> None:
    flat, square = Sample({"main": np.zeros(4, np.uint8)}, id="a"), Sample({"main": np.zeros((2, 2), np.uint8)}, id="b")
    assert twins_within([flat, square], None).exact == 0
    assert twins_within([flat, replace(flat, id="c")], None).exact_pairs == (("a", "c"),)


@pytest.mark.parametrize("width", [2, 5, 40, 600])
def test_independent_rows_are_no_near_twins(width: int) -> None:
    rng = np.random.Generator(np.random.Philox(key=width))
    rows = rng.standard_normal((800, width)).astype(np.float32)
    assert len(near(rows)) <= 0.06 * len(rows) if width == 2 else near(rows) == []
    rows[100] = rows[7] + 1e-3 * rng.standard_normal(width)
    assert (7, 100) in near(rows)
    assert near_across(rows[:500], rows[500:]) == [] or width == 2
    assert (7, 0) in near_across(rows[:90], rows[100:])


def test_labels_in_words() -> None:
    def of(labels: list[Any], **spec: Any) -> dict[str, Any]:
        return labels_of([Sample({"main": np.zeros(1)}, id=str(n), label=label) for n, label in enumerate(labels)], spec)

    assert of([None, None]) == {"kind": "none", "without": 2}
    assert of([0, 1, 1, None], class_names=["no", "yes"]) == {
        "kind": "classification",
        "without": 1,
        "classes": {"yes": 2, "no": 1},
        "majority": 2 / 3,
    }
    assert of([0.5, 2.0]) == {"kind": "regression", "without": 0, "low": 0.5, "high": 2.0, "mean": 1.25}
    several = of([np.array([1, 0, 1]), np.array([0, 0, 1])], label_kind="multilabel")
    assert several["classes"] == {"2": 2, "0": 1}
    assert of([np.array([-1, 3, 3])], label_kind="dense")["classes"] == {"3": 2}


def test_missing_values_and_flat_samples_are_said(tmp_path: Path, host: Host) -> None:
    rng = np.random.Generator(np.random.Philox(key=4))
    series = rng.standard_normal((30, 2, 100)).astype(np.float32)
    series[0, 0, :60] = np.nan
    series[4] = 1.0
    np.savez(tmp_path / "s.npz", x=series, sfreq=50.0)
    found = look(tmp_path / "s.npz", host, only="timeseries")
    assert found.contents.streams["main"]["missing"] == pytest.approx(60 / 6000)
    assert any("1 samples hold one value" in sentence for sentence in found.warnings)
    assert found.contents.seconds == (2.0, 2.0)


def test_a_folder_of_several_sets_is_looked_into(tmp_path: Path, host: Host) -> None:
    np.savez(tmp_path / "small.npz", x=pictures(5), y=np.zeros(5, int))
    np.savez(tmp_path / "large.npz", x=pictures(50), y=np.zeros(50, int))
    (tmp_path / "README.md").write_text("not data")
    found, _ = readings(str(tmp_path), host)
    assert (Path(found[0].path).name, found[0].count) == ("large.npz", 50)
    assert any(path.endswith("small.npz") for path, _, _ in look(tmp_path, host).also)


def test_what_nobody_reads_gets_every_reason(tmp_path: Path, host: Host) -> None:
    path = tmp_path / "notes.xyz"
    path.write_text("words")
    with pytest.raises(DataError, match="no modality reads") as error:
        look(path, host)
    assert "image:" in str(error.value)
    assert "table:" in str(error.value)
    with pytest.raises(DataError, match="no modality of that name"):
        look(path, host, only="smell")


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "a.npz", x=pictures(40), y=np.arange(40) % 4)
    assert main(["inspect", str(tmp_path / "a.npz"), "--test", str(tmp_path / "a.npz")]) == 0
    shown = capsys.readouterr().out
    assert "40 exact" in shown
    assert f"jepakit train image --data {tmp_path / 'a.npz'}" in shown
    assert main(["inspect", str(tmp_path / "a.npz"), "--json", "--limit", "10"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["contents"]["count"], said["contents"]["looked_at"], said["modality"]) == (40, 10, "image")
    assert main(["inspect", "bundled:digits", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["modality"] == "image"
