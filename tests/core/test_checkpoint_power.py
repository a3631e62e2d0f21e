"""Power cuts: every state that a disk may be left in by a save cut short, under the weakest promises that POSIX makes.

The calls of a real save are recorded, then replayed against a model in which an effect is durable only once fsync said so: a file's
content by fsync of the file, a name by fsync of its folder. At each point in between, any subset of the rest may have survived.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from jepakit import disk
from jepakit.checkpoint import FOLDER, State, load_latest, save, verify
from jepakit.checkpoint.format import COMPLETE, MANIFEST, STATE, checkpoints, folder_name
from jepakit.errors import CheckpointError

Trace = list[tuple[str, Any, Any]]


class Recorder:
    """Stands in for `os` inside `jepakit.disk`: does what is asked, except for waiting for the disk, and writes it down."""

    def __init__(self) -> None:
        self.trace: Trace = []

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        file = os.open(path, flags, mode)
        self.trace.append(("create" if flags & os.O_CREAT else "open", str(path), file))
        return file

    def write(self, file: int, data: memoryview) -> int:
        self.trace.append(("write", file, bytes(data)))
        return os.write(file, data)

    def fsync(self, file: int) -> None:
        self.trace.append(("fsync", file, None))

    def mkdir(self, path: Path, mode: int) -> None:
        os.mkdir(path, mode)
        self.trace.append(("mkdir", str(path), None))

    def rename(self, source: Path, destination: Path) -> None:
        os.rename(source, destination)
        self.trace.append(("rename", str(source), str(destination)))

    def unlink(self, path: str) -> None:
        os.unlink(path)
        self.trace.append(("remove", str(path), None))

    def rmdir(self, path: Path) -> None:
        os.rmdir(path)
        self.trace.append(("remove", str(path), None))


@dataclass
class Node:
    """A file or a folder, once as programs see it and once as it would be after a power cut. pending: changes of names, not yet synced."""

    data: bytes = b""
    durable_data: bytes = b""
    names: dict[str, int] = field(default_factory=dict)
    durable_names: dict[str, int] = field(default_factory=dict)
    pending: list[dict[str, int | None]] = field(default_factory=list)


class Disk:
    """The model. It starts with what is under `root`, all of it durable; node 0 is `root`."""

    def __init__(self, root: Path) -> None:
        self.root, self.nodes, self.files = root, [Node()], dict[int, int]()
        for path in sorted(root.rglob("*")):
            node = self._name(str(path))
            if path.is_file():
                self.nodes[node].data = self.nodes[node].durable_data = path.read_bytes()
        for known in self.nodes:
            known.durable_names, known.pending = dict(known.names), []

    def _name(self, path: str) -> int:
        self.nodes.append(Node())
        self._change(path, len(self.nodes) - 1)
        return len(self.nodes) - 1

    def _find(self, path: str) -> int:
        node = 0
        for name in Path(path).relative_to(self.root).parts:
            node = self.nodes[node].names[name]
        return node

    def _change(self, path: str, node: int | None, gone: str | None = None) -> None:
        folder = self.nodes[self._find(str(Path(path).parent))]
        change = {Path(path).name: node} | ({Path(gone).name: None} if gone else {})
        folder.pending.append(change)
        _alter(folder.names, change)

    def apply(self, kind: str, first: Any, second: Any) -> None:
        if kind in ("create", "mkdir"):
            node = self._name(first)
            self.files[second] = node
        elif kind == "open":
            self.files[second] = self._find(first)
        elif kind == "write":
            self.nodes[self.files[first]].data += second
        elif kind == "rename":
            self._change(second, self._find(first), gone=first)
        elif kind == "remove":
            self._change(first, None)
        elif kind == "fsync":
            node = self.files[first]
            synced = self.nodes[node]
            synced.durable_data, synced.durable_names, synced.pending = synced.data, dict(synced.names), []

    def after_power_cut(self) -> Iterator[dict[str, bytes]]:
        """What may be found in checkpoint folders: path → content, one mapping a possible state."""
        choices = [
            [
                (number, names, data)
                for names in _survivors(node)
                for data in {node.durable_data, node.data, node.data[: len(node.data) // 2]}
            ]
            for number, node in enumerate(self.nodes)
            if node.pending or node.data != node.durable_data
        ]
        for chosen in itertools.product(*choices):
            nodes = {number: (node.durable_names, node.durable_data) for number, node in enumerate(self.nodes)}
            yield dict(_visible(nodes | {number: (names, data) for number, names, data in chosen}))


def _alter(names: dict[str, int], change: dict[str, int | None]) -> None:
    for name, node in change.items():
        names.pop(name, None)
        if node is not None:
            names[name] = node


def _survivors(node: Node) -> Iterator[dict[str, int]]:
    """The names in a folder when any subset of the pending changes reached the disk, in their order."""
    for kept in itertools.product([False, True], repeat=len(node.pending)):
        names = dict(node.durable_names)
        for change in itertools.compress(node.pending, kept):
            _alter(names, change)
        yield names


def _visible(nodes: dict[int, tuple[dict[str, int], bytes]], node: int = 0, path: str = "") -> Iterator[tuple[str, bytes]]:
    names, data = nodes[node]
    yield path, data
    for name, child in names.items():
        if not name.startswith("."):
            yield from _visible(nodes, child, f"{path}/{name}")


def state_of(step: int) -> State:
    return State(step, {"w": torch.full((4,), float(step))})


def good_save(run: Path, step: int, keep: int = 1) -> None:
    save(run, step, state_of(step), keep=keep)


@dataclass
class Recorded:
    """A save whose calls were written down. before: the steps that may come back until it returned."""

    start: Disk
    trace: Trace
    before: set[int]
    step: int
    folder: Path
    seen: dict[tuple[Any, ...], list[str]] = field(default_factory=dict)

    def fsyncs(self) -> list[int]:
        return [number for number, (kind, *_) in enumerate(self.trace) if kind == "fsync"]

    def problems(self, without: int | None = None) -> list[str]:
        """Replay, with one fsync left out; what is wrong in any state after any power cut."""
        model, wrong = deepcopy(self.start), set[str]()
        for number, call in enumerate(self.trace):
            if number != without:
                model.apply(*call)
            returned = number == len(self.trace) - 1
            for found in model.after_power_cut():
                wrong.update(self._judge(found, {self.step} if returned else self.before | {self.step}))
        return sorted(wrong)

    def _judge(self, found: dict[str, bytes], allowed: set[int]) -> list[str]:
        key = (frozenset(found.items()), frozenset(allowed))
        if key not in self.seen:
            run = self.folder / str(len(self.seen))
            self.seen[key] = judge(lay_out(run, found), allowed)
        return self.seen[key]


def lay_out(run: Path, found: dict[str, bytes]) -> Path:
    for path, data in found.items():
        target = run / path.lstrip("/")
        if Path(path).name in (STATE, MANIFEST, COMPLETE):
            target.write_bytes(data)
        else:
            target.mkdir(parents=True)
    return run


def judge(run: Path, allowed: set[int]) -> list[str]:
    wrong = []
    for path in checkpoints(run):
        try:
            verify(path)
        except CheckpointError:
            wrong.append("a visible checkpoint is damaged")
    try:
        found = load_latest(run).step
    except CheckpointError:
        found = 0
    return wrong if found in allowed else [*wrong, f"step {found} came back"]


def record(tmp_path: Path, writer: Callable[[Path, int], None], before: list[int], step: int) -> Recorded:
    run = tmp_path / "run"
    run.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk, "os", Recorder())
        for earlier in before:
            good_save(run, earlier)
        start, recorder = Disk(run), Recorder()
        patch.setattr(disk, "os", recorder)
        writer(run, step)
    return Recorded(start, recorder.trace, set(before[-1:]) or {0}, step, tmp_path / "after")


@pytest.mark.parametrize(("before", "step"), [([], 1), ([1], 2), ([1, 2], 2), ([3], 2)], ids=["first", "next", "again", "back"])
def test_no_power_cut_loses_the_old_state_or_shows_half_of_the_new(tmp_path: Path, before: list[int], step: int) -> None:
    recorded = record(tmp_path, good_save, before, step)
    assert recorded.problems() == []
    assert len(recorded.seen) >= 2


@pytest.mark.parametrize(("before", "step", "count"), [([], 1, 6), ([1], 2, 6)], ids=["first", "next"])
def test_every_fsync_is_needed(tmp_path: Path, before: list[int], step: int, count: int) -> None:
    recorded = record(tmp_path, good_save, before, step)
    assert len(recorded.fsyncs()) == count
    for number in recorded.fsyncs():
        assert recorded.problems(without=number), f"nothing notices that {recorded.trace[number]} is missing"


def test_the_model_finds_a_writer_that_renames_without_fsync(tmp_path: Path) -> None:
    files = tmp_path / "source"
    files.mkdir()
    source = save(files, 2, state_of(2))

    def naive_save(run: Path, step: int) -> None:
        temporary = run / FOLDER / ".tmp"
        disk.make_folder(temporary)
        for name in (STATE, MANIFEST, COMPLETE):
            file = disk.os.open(temporary / name, os.O_WRONLY | os.O_CREAT)
            disk.os.write(file, memoryview((source / name).read_bytes()))
            os.close(file)
        disk.rename(temporary, run / FOLDER / folder_name(step))

    assert record(tmp_path, naive_save, [1], 2).problems() == ["a visible checkpoint is damaged", "step 1 came back"]
