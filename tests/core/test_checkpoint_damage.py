"""Checkpoints that rotted, and checkpoints that someone made to do harm: never loaded, always named."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jepakit.checkpoint import FOLDER, State, latest, load_latest, load_step, save, verify
from jepakit.checkpoint.format import COMPLETE, MANIFEST, MANIFEST_LIMIT, STATE
from jepakit.errors import CheckpointError

FILES = (STATE, MANIFEST, COMPLETE)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    for step in (1, 2):
        save(run, step, State(step, {"w": torch.full((2, 2), float(step))}, {"seed": 0}))
    return run


@pytest.fixture
def newest(healthy: Path, tmp_path: Path) -> Path:
    shutil.copytree(healthy, tmp_path / "run")
    return tmp_path / "run" / FOLDER / "step-00000002"


def flip(data: bytes, at: int) -> bytes:
    position = at % (len(data) * 8)
    changed = bytearray(data)
    changed[position // 8] ^= 1 << (position % 8)
    return bytes(changed)


DAMAGE: dict[str, Callable[[bytes, int], bytes]] = {
    "flip": flip,
    "truncate": lambda data, at: data[: at % len(data)],
    "extend": lambda data, at: data + bytes(1 + at % 5000),
    "drop": lambda data, at: data[: at % len(data)] + data[at % len(data) + 1 :],
}


@settings(max_examples=80, deadline=None)
@given(name=st.sampled_from(FILES), kind=st.sampled_from(sorted(DAMAGE)), at=st.integers(0, 1 << 20))
def test_any_damage_is_detected_and_the_older_one_loads(healthy: Path, name: str, kind: str, at: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = shutil.copytree(healthy, Path(folder) / "run")
        file = run / FOLDER / "step-00000002" / name
        file.write_bytes(DAMAGE[kind](file.read_bytes(), at))
        with pytest.raises(CheckpointError, match=r"step-00000002"):
            verify(file.parent)
        state = load_latest(run)
    assert (state.step, state.tensors["w"].tolist()) == (1, [[1.0, 1.0], [1.0, 1.0]])
    assert len(state.skipped) == 1
    assert "step-00000002" in state.skipped[0]


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_and_the_older_one_loads(newest: Path, name: str) -> None:
    (newest / name).unlink()
    state = load_latest(newest.parent.parent)
    assert state.step == 1
    assert f"step-00000002/{name} can't be read" in state.skipped[0]
    assert latest(newest.parent.parent) == 1


def test_files_of_two_checkpoints_do_not_mix(newest: Path) -> None:
    shutil.copy(newest.with_name("step-00000001") / STATE, newest / STATE)
    with pytest.raises(CheckpointError, match=r"state\.safetensors is damaged"):
        load_step(newest.parent.parent, 2)


def test_when_all_are_damaged_all_are_named(newest: Path) -> None:
    for folder in newest.parent.iterdir():
        (folder / COMPLETE).write_bytes(b"0" * 64)
    with pytest.raises(CheckpointError, match=r"can be used: .*step-00000002.*; .*step-00000001"):
        load_latest(newest.parent.parent)


def seal(folder: Path, text: bytes) -> None:
    """Write a manifest and a COMPLETE that agrees with it, as an attacker would."""
    (folder / MANIFEST).write_bytes(text)
    (folder / COMPLETE).write_bytes(hashlib.sha256(text).hexdigest().encode())


def alter(folder: Path, **fields: Any) -> None:
    seal(folder, json.dumps(json.loads((folder / MANIFEST).read_bytes()) | fields).encode())


def seal_state(folder: Path, data: bytes) -> None:
    (folder / STATE).write_bytes(data)
    alter(folder, files={"state": {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}})


HOSTILE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "newer format": (lambda folder: alter(folder, format=2), "format"),
    "other step": (lambda folder: alter(folder, step=9), "holds step 9"),
    "step is text": (lambda folder: alter(folder, step="2"), "step"),
    "negative step": (lambda folder: alter(folder, step=-2), "step"),
    "unknown field": (lambda folder: alter(folder, run="rm -rf"), "run"),
    "path in files": (lambda folder: alter(folder, files={"../../x": {"size": 1, "sha256": "0" * 64}}), "files"),
    "bad digest": (lambda folder: alter(folder, files={"state": {"size": 1, "sha256": "zz"}}), "sha256"),
    "tensors is a list": (lambda folder: alter(folder, tensors=[1]), "tensors"),
    "negative shape": (lambda folder: alter(folder, tensors={"w": {"dtype": "F32", "shape": [-1]}}), "shape"),
    "tensor not there": (lambda folder: alter(folder, tensors={"w": {"dtype": "F32", "shape": [10**9]}}), "does not hold the tensors"),
    "not JSON": (lambda folder: seal(folder, b"\x80\x04."), "not valid JSON"),
    "not a mapping": (lambda folder: seal(folder, b"[]"), "manifest"),
    "deep JSON": (lambda folder: seal(folder, b"[" * 200_000), "not valid JSON"),
    "long number": (lambda folder: seal(folder, b'{"step": ' + b"9" * 10_000 + b"}"), "not valid JSON"),
    "huge manifest": (lambda folder: os.truncate(folder / MANIFEST, MANIFEST_LIMIT + 1), "more than"),
    "pickle": (lambda folder: seal_state(folder, pickle.dumps({"w": 1})), "not a valid safetensors file"),
    "overlap": (
        lambda folder: seal_state(
            folder,
            (
                len(
                    header
                    := b'{"w":{"dtype":"F32","shape":[9],"data_offsets":[0,36]},"v":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}'
                )
            ).to_bytes(8, "little")
            + header
            + bytes(36),
        ),
        "not a valid safetensors file",
    ),
    "header of 2^60 bytes": (lambda folder: seal_state(folder, (1 << 60).to_bytes(8, "little")), "not a valid safetensors file"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_checkpoint_is_refused(newest: Path, case: str) -> None:
    attack, message = HOSTILE[case]
    attack(newest)
    with pytest.raises(CheckpointError, match=message):
        load_step(newest.parent.parent, 2)
    assert load_latest(newest.parent.parent).step == 1


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_only_regular_files_are_opened(newest: Path, name: str, kind: str) -> None:
    file = newest / name
    shutil.move(file, newest / "elsewhere")
    {"link": lambda: file.symlink_to(newest / "elsewhere"), "pipe": lambda: os.mkfifo(file), "folder": file.mkdir}[kind]()
    with pytest.raises(CheckpointError, match=f"{name} can't be read"):
        load_step(newest.parent.parent, 2)


def test_a_linked_folder_is_no_checkpoint(newest: Path) -> None:
    newest.with_name("step-00000003").symlink_to(newest)
    assert load_latest(newest.parent.parent).step == 2
    with pytest.raises(CheckpointError, match="is a link"):
        verify(newest.with_name("step-00000003"))


def test_the_next_save_follows_no_link(newest: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("kept")
    newest.with_name(".trash-x").symlink_to(tmp_path / "mine")
    (newest / "more").symlink_to(tmp_path / "mine")
    save(newest.parent.parent, 3, State(3, {}), keep=1)
    assert not newest.exists()
    assert (tmp_path / "mine" / "file").read_text() == "kept"
