"""A save that is killed, or that meets a failing disk, at each of its calls. A naive writer must fail the same checks."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from jepakit import disk
from jepakit.checkpoint import FOLDER, State, load_latest, save, verify
from jepakit.checkpoint.format import COMPLETE, MANIFEST, STATE, checkpoints, folder_name
from jepakit.errors import CheckpointError

EFFECTS = {"mkdir", "open", "write", "fsync", "close", "rename", "unlink", "rmdir", "scandir", "statvfs"}
Save = Callable[[Path, int], Any]


class Tap:
    """Stands in for `os` inside `jepakit.disk` and calls `hook` before each effect. fsync does nothing: it is slow, and a kill
    does not lose what is in the page cache; `test_checkpoint_power` is about that."""

    def __init__(self, hook: Callable[[], None]) -> None:
        self.hook = hook

    def __getattr__(self, name: str) -> Any:
        call = getattr(os, name)
        if name not in EFFECTS:
            return call

        def tapped(*args: Any, **options: Any) -> Any:
            if name == "close":  # the descriptor is gone even where close reports an error
                call(*args)
            self.hook()
            return None if name in ("close", "fsync") else call(*args, **options)

        return tapped


class At:
    """Calls `act` at effect number `number`, counted from 0; with `lasting`, at all later ones too."""

    def __init__(self, number: int, act: Callable[[], None], *, lasting: bool = False) -> None:
        self.left, self.act, self.lasting, self.hits = number, act, lasting, 0

    def __call__(self) -> None:
        self.left -= 1
        if self.left == -1 or (self.lasting and self.left < -1):
            self.hits += 1
            self.act()


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "os", Tap(lambda: None))


def state_of(step: int) -> State:
    return State(step, {"model/w": torch.full((3, 5), float(step)), "model/b": torch.arange(step + 1)}, {"seed": step})


def good_save(run: Path, step: int) -> None:
    save(run, step, state_of(step), keep=1)


def naive_writer(files: Path) -> Save:
    """Makes room first, then writes in place: what most training scripts do. `files`: the checkpoint of step 2 that it writes."""

    def naive_save(run: Path, step: int) -> None:
        for old in checkpoints(run):
            disk.remove_folder(old)
        target = run / FOLDER / folder_name(step)
        disk.make_folder(target)
        for name in (STATE, MANIFEST, COMPLETE):
            disk.write_new(target / name, [(files / name).read_bytes()])

    return naive_save


def problems(run: Path, allowed: set[int]) -> list[str]:
    """What is wrong after a fault: a visible checkpoint that is not whole, or a latest one that is neither the old nor the new."""
    wrong = []
    for path in checkpoints(run):
        try:
            verify(path)
        except CheckpointError as error:
            wrong.append(str(error))
    try:
        found = load_latest(run)
    except CheckpointError as error:
        return [*wrong, str(error)]
    if found.step not in allowed or not torch.equal(found.tensors["model/w"], state_of(found.step).tensors["model/w"]):
        wrong.append(f"step {found.step} came back")
    return wrong


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def leftovers(run: Path) -> list[str]:
    return [path.name for path in (run / FOLDER).glob(".*")]


def killed_at(number: int, action: Callable[[], Any]) -> bool:
    """Run `action` in a child that kills itself with SIGKILL at effect `number`; False when the action ends before it."""
    child = os.fork()
    if child == 0:
        disk.os = Tap(At(number, lambda: os.kill(os.getpid(), signal.SIGKILL)))  # type: ignore[assignment]
        try:
            action()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def kill_everywhere(tmp_path: Path, writer: Save, before: list[int], step: int) -> tuple[int, list[str]]:
    """Number of kills, and all problems found after them."""
    wrong: list[str] = []
    for number in range(500):
        run = make(tmp_path / str(number))
        for earlier in before:
            good_save(run, earlier)
        if not killed_at(number, lambda: writer(run, step)):  # noqa: B023
            return number, wrong
        wrong += problems(run, {before[-1], step})
        good_save(run, step + 1)
        wrong += problems(run, {step + 1}) + leftovers(run)
    raise AssertionError("the save never ended")


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize(("before", "step"), [([1], 2), ([1, 2], 2), ([3], 2)], ids=["next", "again", "back"])
def test_a_kill_at_any_call_leaves_the_old_or_the_new_state(tmp_path: Path, before: list[int], step: int) -> None:
    kills, wrong = kill_everywhere(tmp_path, good_save, before, step)
    assert kills >= 25
    assert wrong == []


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_kills_find_the_naive_writer(tmp_path: Path) -> None:
    kills, wrong = kill_everywhere(tmp_path, naive_writer(save(make(tmp_path / "source"), 2, state_of(2))), [1], 2)
    assert kills >= 10
    assert wrong


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_kill_while_sweeping_the_rest_of_an_earlier_kill_does_no_harm(tmp_path: Path) -> None:
    for number in range(12):
        run = make(tmp_path / str(number))
        good_save(run, 1)
        for rest in (".tmp-step-00000002", ".trash-step-00000000"):
            (make(run / FOLDER / rest) / STATE).write_bytes(b"half")
        assert killed_at(number, lambda: good_save(run, 2))  # noqa: B023
        assert problems(run, {1, 2}) == []
        good_save(run, 2)
        assert problems(run, {2}) == leftovers(run) == []


def fail_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: Save, code: int, *, lasting: bool) -> tuple[int, list[str]]:
    """Number of faults, and all problems found after them."""

    def fail() -> None:
        raise OSError(code, os.strerror(code))

    wrong: list[str] = []
    for number in range(500):
        run = make(tmp_path / str(number))
        good_save(run, 1)
        fault = At(number, fail, lasting=lasting)
        with monkeypatch.context() as patch:
            patch.setattr(disk, "os", Tap(fault))
            wrong += [text for text in attempt(writer, run) if str(run) not in text]
        if not fault.hits:
            return number, wrong
        wrong += problems(run, {1, 2}) + ([] if lasting else leftovers(run))
    raise AssertionError("the save never ended")


def attempt(writer: Save, run: Path) -> list[str]:
    """The message of a CheckpointError; any other error passes."""
    try:
        writer(run, 2)
    except CheckpointError as error:
        return [str(error)]
    return []


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_failing_call_is_a_checkpoint_error_and_the_old_state_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, lasting: bool
) -> None:
    faults, wrong = fail_everywhere(tmp_path, monkeypatch, good_save, code, lasting=lasting)
    assert faults >= 25
    assert wrong == []


def test_failing_calls_find_the_naive_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    naive_save = naive_writer(save(make(tmp_path / "source"), 2, state_of(2)))

    def naive(run: Path, step: int) -> None:
        try:
            naive_save(run, step)
        except OSError as error:
            raise CheckpointError(f"{run}: {error}") from error

    assert fail_everywhere(tmp_path, monkeypatch, naive, errno.ENOSPC, lasting=False)[1]


def test_a_full_disk_is_named_with_the_path_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good_save(tmp_path, 1)
    monkeypatch.setattr(disk, "free_bytes", lambda _: 1000)
    with pytest.raises(
        CheckpointError, match=r"step 2 could not be written to .*checkpoints: the disk is full.*1\.0 MB are needed.*free some"
    ):
        good_save(tmp_path, 2)
    assert problems(tmp_path, {1}) == leftovers(tmp_path) == []


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Short(Tap):
        def write(self, file: int, data: memoryview) -> int:
            return os.write(file, data[:7])

    monkeypatch.setattr(disk, "os", Short(lambda: None))
    good_save(tmp_path, 2)
    assert problems(tmp_path, {2}) == []
