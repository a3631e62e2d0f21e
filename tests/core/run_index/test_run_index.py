"""Runs found, summed up, compared and chosen, from folders as `train` and `eval` write them; a thousand of them without torch."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from jepakit.cli.main import main
from jepakit.errors import JepakitError, UsageError
from jepakit.run_index.best import choose
from jepakit.run_index.compare import compare, flat
from jepakit.run_index.find import find_runs
from jepakit.run_index.kept import checkpoints_of
from jepakit.run_index.summary import summarise
from jepakit.runs import RunFolder

ROWS = [
    ("encoder", "linear", "all", 0.4),
    ("untrained", "linear", "all", 0.3),
    ("encoder", "knn", "all", 0.35),
    ("encoder", "linear", 5, 0.2),
]


def make_run(
    path: Path,
    *,
    width: int = 192,
    steps: int = 20,
    total: int = 20,
    rank: float = 12.0,
    score: float | None = None,
    watch: str = "healthy",
) -> Path:
    """A run folder written by the code that training uses; its last line has no rank, as lines between two measures."""
    config = {"recipe": "made", "modality": "kind", "encoder": {"name": "transformer", "width": width}, "source": "some data: here"}
    with RunFolder.create(path, config, {"python": "3", "plugins": []}) as run:
        for step in range(10, steps + 1, 10):
            numbers: dict[str, Any] = {"loss": 1 / step} | ({"rank": rank} if step == 10 else {})
            run.log({"event": "step", "step": step, "total": total, **numbers, "verdict": watch})
    if score is not None:
        rows = [
            {"row": row, "probe": probe, "labels": labels, "metric": "accuracy", "value": value, "low": value, "high": value}
            for row, probe, labels, value in ROWS
        ]
        said = {
            "rows": rows,
            "pooling": "mean",
            "pooling_scores": {"mean": score, "flat": 0.9},
            "verdict": "learned",
            "sentence": "It learned.",
        }
        (path / "evaluation.json").write_text(json.dumps(said))
    return path


def keep(path: Path, step: int, *, best: bool, rank: float = 1.0) -> None:
    """The manifest of a checkpoint, as far as it is read here."""
    folder = path / "checkpoints" / f"step-{step:08d}"
    folder.mkdir(parents=True)
    said = {"step": step, "best": best, "scalars": {"watch": {"latest": {"rank": rank}}}, "files": {"state": {"size": 7}}}
    (folder / "manifest.json").write_text(json.dumps(said))
    (folder / "COMPLETE").write_text("")


def test_runs_are_found_below_a_folder_and_nothing_else(tmp_path: Path) -> None:
    wanted = [make_run(tmp_path / "a"), make_run(tmp_path / "sweep" / "monday" / "b")]
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "config.yaml").write_text("a: 1")
    make_run(tmp_path / "a" / "nested")
    assert find_runs([tmp_path]) == wanted
    assert find_runs([tmp_path, tmp_path / "a"]) == wanted
    with pytest.raises(UsageError, match="no folder"):
        find_runs([tmp_path / "none"])


def test_a_summary_says_what_the_files_say(tmp_path: Path) -> None:
    found = summarise(make_run(tmp_path / "a", score=0.33))
    assert (found.recipe, found.modality, found.data) == ("made", "kind", "some data: here")
    assert (found.status, found.step, found.total, found.loss, found.rank, found.watch) == ("finished", 20, 20, 0.05, 12.0, "healthy")
    assert (found.metric, found.score, found.untrained, found.verdict, found.chosen_by) == ("accuracy", 0.4, 0.3, "learned", 0.33)


def test_long_data_names_are_read_whole(tmp_path: Path) -> None:
    source = "/data/" + "a folder with blanks " * 12 + "end"
    with RunFolder.create(tmp_path / "a", {"recipe": "r", "source": source}, {}):
        pass
    assert summarise(tmp_path / "a").data == source == yaml.safe_load((tmp_path / "a" / "config.yaml").read_text())["source"]


def test_status(tmp_path: Path) -> None:
    stopped, new = make_run(tmp_path / "stopped", steps=10), make_run(tmp_path / "new", steps=0)
    assert (summarise(stopped).status, summarise(new).status) == ("stopped", "new")
    with RunFolder.open(stopped):
        assert summarise(stopped).status == "running"
    with RunFolder.open(stopped):  # looking left no lock behind
        pass


def test_damaged_files_are_gaps_not_errors(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", score=0.5)
    (run / "evaluation.json").write_text('{"rows": [')
    (run / "config.yaml").write_text("recipe: [")
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"event": "step", "st')
    found = summarise(run)
    assert (found.recipe, found.score, found.step) == ("", None, 20)


def test_comparison_names_what_differs_and_nothing_else(tmp_path: Path) -> None:
    found = compare([make_run(tmp_path / "a", score=0.5), make_run(tmp_path / "b", width=384)])
    assert [(one.key, one.values) for one in found.config] == [("encoder.width", (192, 384))]
    assert found.machine == ()
    results = {one.key: one.values for one in found.results}
    assert results["linear, all labels: accuracy"] == (0.4, None)
    assert results["linear, all labels: accuracy, over untrained"][0] == pytest.approx(0.1)
    with pytest.raises(UsageError, match="two runs"):
        compare([tmp_path / "a"])
    with pytest.raises(UsageError, match="is no run"):
        compare([tmp_path / "a", tmp_path])


def test_flat() -> None:
    assert flat({"a": {"b": [1, 2]}, "c": [{"d": 1}], "e": None}) == {"a.b": [1, 2], "c.0.d": 1, "e": None}


def test_best_goes_by_training_scores_then_by_rank(tmp_path: Path) -> None:
    for name, score, rank in (("a", 0.2, 50.0), ("b", 0.3, 5.0)):
        keep(make_run(tmp_path / name, score=score, rank=rank), 10, best=True)
    keep(make_run(tmp_path / "c", rank=99.0), 10, best=True)
    keep(make_run(tmp_path / "d", rank=100.0, watch="collapsed"), 10, best=True)
    runs = {path.name: summarise(path) for path in find_runs([tmp_path])}
    assert choose(list(runs.values())).run.name == "b"
    assert choose([runs["a"], runs["b"]]).rule.startswith("run: highest cross-validated score on training samples, of 2")
    assert choose([runs["c"], runs["d"]]).run.name == "c"
    assert choose([runs["d"]]).run.name == "d"
    with pytest.raises(JepakitError, match="none of these runs has a checkpoint"):
        choose([summarise(make_run(tmp_path / "e"))])


def test_the_checkpoint_is_the_newest_marked_one_else_the_latest(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a")
    for step, best in ((10, True), (20, True), (30, False)):
        keep(run, step, best=best)
    assert [(one.step, one.best) for one in checkpoints_of(run)] == [(10, False), (20, True), (30, False)]
    assert choose([summarise(run)]).checkpoint.step == 20
    other = make_run(tmp_path / "b")
    keep(other, 10, best=False)
    keep(other, 20, best=False)
    (other / "checkpoints" / "step-00000020" / "COMPLETE").unlink()
    assert choose([summarise(other)]).checkpoint.step == 10


def test_real_checkpoints_read_the_same(digits_run: Path) -> None:
    from jepakit import checkpoint

    kept = checkpoints_of(digits_run)
    assert [one.step for one in kept] == checkpoint.steps(digits_run)
    assert next((one.step for one in kept if one.best), None) == checkpoint.best(digits_run)


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = make_run(tmp_path / "a", score=0.5), make_run(tmp_path / "b", width=384)
    keep(a, 20, best=True)
    for line in (["list", str(tmp_path)], ["list", str(tmp_path), "--sort", "rank"], ["show", str(a)], ["best", str(tmp_path)]):
        assert main(["runs", *line]) == 0
        assert str(a) in capsys.readouterr().out
        assert main(["runs", *line, "--json"]) == 0
        json.loads(capsys.readouterr().out)
    assert main(["runs", "compare", str(a), str(b)]) == 0
    assert "encoder.width" in capsys.readouterr().out
    page = tmp_path / "out" / "page.html"
    assert main(["runs", "compare", str(a), str(b), "--report", "--out", str(page)]) == 0
    text = page.read_text()
    assert text.count("<img") == 3  # scores, loss, rank
    assert all(word in text for word in ("encoder.width", "384", "accuracy"))
    assert "http" not in text.replace("http-equiv", "")
    assert main(["runs", "show", str(tmp_path)]) == 2
    (tmp_path / "empty").mkdir()
    assert main(["runs", "list", str(tmp_path / "empty")]) == 2


def test_a_thousand_runs_in_two_seconds_without_torch(tmp_path: Path) -> None:
    one = make_run(tmp_path / "first", score=0.5)
    (one / "config.yaml").write_text(
        (one / "config.yaml").read_text() + yaml.safe_dump({f"section{n}": {"a": [1, 2], "b": n} for n in range(30)})
    )
    line = (one / "metrics.jsonl").read_bytes().splitlines(keepends=True)[-1]
    (one / "metrics.jsonl").write_bytes(line * 1000)
    for number in range(1000):
        path = tmp_path / "many" / f"run-{number}"
        path.mkdir(parents=True)
        for entry in one.iterdir():
            os.link(entry, path / entry.name)
    code = (
        "import sys; from jepakit.cli.main import main; assert main(sys.argv[1:]) == 0; "
        "slow = {'torch', 'pandas', 'sklearn'} & set(sys.modules); assert not slow, slow"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code, "runs", "list", str(tmp_path / "many"), "--json"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert len(json.loads(done.stdout)["runs"]) == 1000
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2.0  # seconds of processor: others may be at work


def test_a_probe_chooses_the_checkpoint_that_best_then_means(digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import jepakit
    from jepakit import checkpoint

    run = tmp_path / "run"
    shutil.copytree(digits_run, run)
    good = checkpoint.load_latest(run)
    blind = {name: torch.zeros_like(x) if name.endswith("proj.weight") else x for name, x in good.tensors.items()}
    checkpoint.save(run, 20, checkpoint.State(20, blind, good.scalars), keep=5, best=True)
    assert checkpoint.best(run) == 20
    assert main(["runs", "best", str(run), "--data", "bundled:digits", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["checkpoint"]["step"], "linear probe" in said["rule"]) == (10, True)
    assert checkpoint.best(run) == 10
    assert jepakit.load(run, checkpoint="best").kept.step == 10
    assert [one.step for one in checkpoints_of(run) if one.best] == [10]
    scores = json.loads((run / "best.json").read_text())["scores"]
    assert scores["10"] > 0.3 > scores["20"]
    shutil.rmtree(run / "checkpoints" / "step-00000010")  # gone: the flag counts again
    assert checkpoint.best(run) == 20
    assert [one.step for one in checkpoints_of(run) if one.best] == [20]
    assert main(["runs", "best", str(tmp_path), "--data", "bundled:digits"]) == 2
