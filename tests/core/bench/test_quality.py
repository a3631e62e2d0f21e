"""The quality table: what it measures, where data lies, what is said of what is missing, and one real small run."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from jepakit import engine
from jepakit.bench.quality import Case, Entry, cases, changed, markdown, place, run_bench, to_json
from jepakit.build import build_modality
from jepakit.cli.main import main
from jepakit.errors import ConfigError, PluginError
from jepakit.plugin_host.loader import discover
from jepakit.report.table import arrange
from jepakit.sources import open_source
from jepakit.specs import QualitySet, RecipeSpec

CASE = Case(RecipeSpec("some", "kind", "a:b.yaml"), QualitySet("set", "data"))
RECORDS = [
    {"row": row, "probe": "linear", "labels": "all", "metric": "accuracy", "value": value, "low": value - 0.1, "high": value + 0.1}
    for row, value in (("encoder", 0.5), ("untrained", 0.25))
]


def test_recipes_name_their_sets_and_quick_leaves_out_what_takes_long() -> None:
    host = discover()
    every = {case.folder for case in cases(host, (), quick=False)}
    assert {"image-tiny_imagenet20", "image-quick-bundled-photos", "image-quick-bundled-digits"} <= every
    assert "image-tiny_imagenet20" not in {case.folder for case in cases(host, (), quick=True)}
    assert {case.folder for case in cases(host, ("bundled:digits",), quick=True)} == {"image-quick-bundled-digits"}
    shipped = {case.folder for case in cases(host, ("tiny_imagenet20", "bundled"), quick=False)}
    assert {"image-tiny_imagenet20", "tabular-bundled-iris"} <= shipped
    assert shipped == {"image-tiny_imagenet20"} | {folder for folder in every if "-bundled-" in folder}
    with pytest.raises(ConfigError, match="Did you mean 'bundled:digits'"):
        cases(host, ("bundled:digit",), quick=False)


def test_every_declared_set_has_a_recipe_that_takes_its_options_and_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JEPAKIT_DATA", "/there")
    host = discover()
    every = cases(host, (), quick=False)
    assert {"audio", "ecg", "eeg", "image", "lidar", "points", "sar", "tabular", "timeseries"} <= {case.recipe.name for case in every}
    assert Counter(case.folder for case in every).most_common(1)[0][1] == 1
    for case in every:
        config = changed(case, host, quick=case.set.quick is not None, steps=None)
        assert config.recipe == case.recipe.name
        assert changed(case, host, quick=False, steps=7).train.steps == 7
        assert place(case.set.data)
        assert config.evaluate.split == "holdout" or not case.set.test


@pytest.mark.slow
@pytest.mark.skipif("JEPAKIT_DATA" not in os.environ, reason="needs the sets of JEPAKIT_DATA")
@pytest.mark.parametrize("folder", [case.folder for case in cases(discover(), (), quick=False)])
def test_declared_sets_open_with_labels_and_give_a_batch(folder: str) -> None:
    host = discover()
    (case,) = (case for case in cases(host, (), quick=False) if case.folder == folder)
    config = changed(case, host, quick=False, steps=1)
    assert engine.plan(config, host, place(case.set.pretrain or case.set.data)).steps == 1
    for source, split in ((case.set.data, "train"), (case.set.test or case.set.data, "test" if case.set.test else "train")):
        reader = open_source(config, build_modality(config, host), place(source), split)
        assert reader.read(len(reader) - 1).label is not None


def test_the_list_names_recipe_set_and_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "quality", "audio_fsdd", "bundled:digits", "--list"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[:2] for line in lines] == [["audio", "audio_fsdd"], ["audio-ajepa", "audio_fsdd"], ["image-quick", "bundled:digits"]]
    assert main(["bench", "quality", "OSULeaf", "--list", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["set"] == "OSULeaf"
    assert found["test"].endswith("OSULeaf_test.npz::length=256")
    assert "univariate=yes" in found["pretrain"]


def test_a_folder_of_other_options_is_not_taken_for_the_run_that_is_asked_for(tmp_path: Path) -> None:
    host = discover()
    (case,) = cases(host, ("bundled:digits",), quick=True)
    (tmp_path / case.folder).mkdir()
    said = changed(case, host, quick=True, steps=3).resolved() | {"source": case.set.data}
    (tmp_path / case.folder / "config.yaml").write_text(json.dumps(said), encoding="utf-8")
    (entry,) = run_bench(host, tmp_path, names=("bundled:digits",), quick=True, emit=lambda event: None)
    assert "holds a run with other options or data; give another --out" in entry.skipped


def test_a_plugin_adds_its_set_and_one_that_adds_nonsense_is_named(tmp_path: Path) -> None:
    plugin = tmp_path / "tide.py"
    said = "from jepakit.sdk import QualitySet, RecipeSpec, hookimpl\nAPI = 1\n@hookimpl\ndef register_recipes():\n"
    plugin.write_text(
        said + '    return [RecipeSpec("tide", "tide", "a:b.yaml", quality=(QualitySet("harbour", "x"),))]\n', encoding="utf-8"
    )
    assert [case.folder for case in cases(discover(files=(plugin,)), ("harbour",), quick=False)] == ["tide-harbour"]
    plugin.write_text(said + '    return [RecipeSpec("tide", "tide", "a:b.yaml", quality=("harbour",))]\n', encoding="utf-8")
    with pytest.raises(PluginError, match=r"recipe 'tide': quality must be a tuple of QualitySets, it is \('harbour',\)"):
        discover(files=(plugin,))


def test_data_lies_where_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JEPAKIT_DATA", "/there")
    assert (place("$JEPAKIT_DATA/set/a.npz"), place("bundled:x"), place("")) == ("/there/set/a.npz", "bundled:x", "")
    monkeypatch.delenv("JEPAKIT_DATA")
    with pytest.raises(ConfigError, match=r"JEPAKIT_DATA is not set; it names the folder that holds set/a\.npz"):
        place("$JEPAKIT_DATA/set/a.npz")


def test_a_set_that_is_not_there_is_an_entry_that_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JEPAKIT_DATA", raising=False)
    (entry,) = run_bench(discover(), tmp_path, names=("tiny_imagenet20",), quick=False, emit=lambda event: None)
    assert "JEPAKIT_DATA is not set" in entry.skipped
    assert "not measured: JEPAKIT_DATA is not set" in (tmp_path / "quality.md").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "quality.json").read_text(encoding="utf-8"))["entries"][0]["set"] == "tiny_imagenet20"


def test_the_table_marks_the_best_and_keeps_the_intervals() -> None:
    table = arrange(RECORDS)
    assert table is not None
    entries = [Entry(CASE, steps=1200, line=table.headline, verdict="learned"), Entry(CASE, skipped="no data")]
    lines = list(markdown(entries))
    assert lines[0] == "| recipe, data, steps | probe | encoder | untrained | verdict |"
    assert lines[2] == "| some, set, 1,200 | linear, all labels, accuracy | **50.0 %** (40.0 – 60.0) | 25.0 % (15.0 – 35.0) | learned |"
    assert lines[3].startswith("| some, set | not measured: no data |")
    assert {line.count("|") for line in lines} == {6}
    assert to_json(entries)["entries"][0]["rows"]["encoder"] == [0.5, 0.4, 0.6]


@pytest.mark.slow
def test_one_command_trains_evaluates_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "quality", "bundled:digits", "--quick", "--json", "--out", str(tmp_path)]
    assert main(command) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {"encoder", "untrained", "raw", "classical"} == set(first["entries"][0]["rows"])
    weights = max((tmp_path / "image-quick-bundled-digits" / "checkpoints").rglob("*.safetensors")).stat().st_mtime_ns
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == first
    assert max((tmp_path / "image-quick-bundled-digits" / "checkpoints").rglob("*.safetensors")).stat().st_mtime_ns == weights
