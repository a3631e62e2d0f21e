from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jepakit import disk
from jepakit.errors import JepakitError
from jepakit.runs import EventWriter, RunFolder, environment, read_config, read_metrics

CONFIG = {"recipe": "plain", "optim": {"lr": 0.001, "betas": [0.9, 0.95]}, "note": "ä"}


def create(path: Path) -> RunFolder:
    return RunFolder.create(path, CONFIG, environment(threads=1, device="cpu"))


def test_a_new_run_holds_its_config_and_environment(tmp_path: Path) -> None:
    with create(tmp_path / "a" / "run") as run:
        assert run.config() == CONFIG
        assert list(run.config()) == list(CONFIG)
        assert json.loads((run.path / "environment.json").read_text())["packages"].keys() >= {"jepakit", "torch", "numpy"}


def test_environment_records_what_it_is_told_and_imports_nothing() -> None:
    found = environment(threads=3, device="cuda", plugins=[{"dist": "x", "version": "1"}], packages=["numpy", "no-such-package"])
    assert (found["threads"], found["device"], found["plugins"]) == (3, "cuda", [{"dist": "x", "version": "1"}])
    assert list(found["packages"]) == ["numpy"]
    program = "import sys, jepakit.runs as r; r.environment(threads=1, device='cpu'); print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program]).strip() == b"False"


def test_a_folder_in_use_is_refused_naming_the_owner(tmp_path: Path) -> None:
    with create(tmp_path / "run"), pytest.raises(JepakitError, match=rf"in use by pid {os.getpid()} on "):
        RunFolder.open(tmp_path / "run")
    RunFolder.open(tmp_path / "run").close()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    program = """
import os, signal, sys, pathlib
from jepakit.runs import RunFolder
run = RunFolder.create(pathlib.Path(sys.argv[1]), {}, {})
run.log({"step": 1})
print("ready", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "run")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        with pytest.raises(JepakitError, match=f"in use by pid {owner.pid} on "):
            RunFolder.open(tmp_path / "run")
        owner.kill()
    with RunFolder.open(tmp_path / "run"):
        assert read_metrics(tmp_path / "run") == [{"step": 1}]


def test_a_used_folder_is_refused_with_what_to_do(tmp_path: Path) -> None:
    create(tmp_path / "run").close()
    with pytest.raises(JepakitError, match=r"not empty: go on with it by `jepakit resume .*run`, or choose another folder with --out"):
        create(tmp_path / "run")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("mine")
    with pytest.raises(JepakitError, match="not empty: it is not a run; choose another"):
        create(tmp_path / "other")
    assert [file.name for file in (tmp_path / "other").iterdir()] == ["thesis.tex"]


def test_what_is_no_run_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(JepakitError, match=r"is not a run: it has no config\.yaml"):
        RunFolder.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JepakitError, match=r"run folder .*file.run can't be used"):
        create(tmp_path / "file" / "run")


def test_a_failed_creation_frees_the_lock_and_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, data: bytes) -> None:
        raise OSError(28, f"No space left for {path.name} of {len(data)} bytes")

    with monkeypatch.context() as patch:
        patch.setattr(disk, "replace_file", fail)
        with pytest.raises(JepakitError, match="No space left"):
            create(tmp_path / "run")
    create(tmp_path / "run").close()


def test_metrics_are_there_at_once_and_are_strict_json(tmp_path: Path) -> None:
    with create(tmp_path / "run") as run:
        run.log({"step": 1, "loss": 0.1, "health": {"rank": math.nan, "std": [1.0, math.inf]}})
        text = (run.path / "metrics.jsonl").read_text()
        run.log({"step": 2})
    assert text == '{"step": 1, "loss": 0.1, "health": {"rank": null, "std": [1.0, null]}}\n'
    assert [record["step"] for record in read_metrics(run.path)] == [1, 2]


def test_rewinding_forgets_later_steps_and_half_a_line(tmp_path: Path) -> None:
    with create(tmp_path / "run") as run:
        for step in range(1, 6):
            run.log({"step": step, "loss": 0.1 * step})
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    with RunFolder.open(tmp_path / "run") as run:
        run.rewind(3)
        run.log({"step": 4, "loss": 9.0})
    assert [(record["step"], record["loss"]) for record in read_metrics(run.path)] == [(1, 0.1), (2, 0.2), (3, 0.1 * 3), (4, 9.0)]


def test_rewinding_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with create(tmp_path / "run") as run:
        run.log({"step": 1})
        run.log({"step": 2})

        def fail(file: int) -> None:
            raise OSError(5, f"Input/output error on {file}")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(JepakitError, match="Input/output error"):
                run.rewind(1)
        assert len(read_metrics(run.path)) == 2
        assert not list(run.path.glob(".tmp-*"))


def test_a_broken_config_is_named(tmp_path: Path) -> None:
    create(tmp_path).close()
    for text, message in (("a: [", "can't be read"), ("- 1", "not a mapping"), ("!!python/object:os.system {}", "can't be read")):
        (tmp_path / "config.yaml").write_text(text)
        with pytest.raises(JepakitError, match=rf"config\.yaml.*{message}"):
            read_config(tmp_path)


def test_tensorboard_events_are_written(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path)
    writer.scalars(1, {"loss": 0.5})
    writer.close()
    [file] = (tmp_path / "events").iterdir()
    assert b"loss" in file.read_bytes()
