"""Saving a checkpoint so that at every instant, whatever stops the machine, the newest visible one is whole."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from jepakit import disk
from jepakit.checkpoint.format import (
    COMPLETE,
    FOLDER,
    MANIFEST,
    MANIFEST_LIMIT,
    STATE,
    FileEntry,
    Files,
    MadeWith,
    Manifest,
    State,
    TensorEntry,
    checkpoints,
    folder_name,
    number_of,
)
from jepakit.checkpoint.read import read_manifest
from jepakit.checkpoint.tensors import byte_size, dtype_name, safetensors_pieces
from jepakit.errors import CheckpointError

_SLACK = 1 << 20
"""Bytes asked of the disk beside the tensors: header, manifest, folder blocks."""


def save(run: Path, step: int, state: State, *, keep: int = 2, best: bool = False) -> Path:
    """Write `state` below `run`/checkpoints and return the folder; once this returns, `step` is the latest and survives a power cut.

    keep: how many of the newest stay; the newest one saved with `best` stays too. Checkpoints of higher steps are removed: the run
    went back behind them. Saving a step again replaces it. Only one process may save into a run (`RunFolder` holds the lock).
    CheckpointError, with the older checkpoints untouched, when the disk is full or failing or `state` can't be written.
    """
    index = _index(step, state, keep)
    folder = run / FOLDER
    try:
        _prepare(run, folder, byte_size(state.tensors) + _SLACK)
        temporary = _write(folder, step, state, index, best=best)
        path = _commit(folder, temporary, step)
        _collect(run, path, keep)
    except OSError as error:
        with contextlib.suppress(OSError):
            _sweep(folder)
        raise CheckpointError(_failure(folder, step, error)) from error
    return path


def _index(step: int, state: State, keep: int) -> dict[str, TensorEntry]:
    """All that can be wrong with the arguments, found before the disk is touched."""
    if step != state.step or not 0 <= step < 10**18:
        raise CheckpointError(
            f"a checkpoint of step {step} can't hold a state of step {state.step}; both must be the steps done, 0 or more"
        )
    if keep < 1:
        raise CheckpointError(f"keep is {keep}; at least 1 checkpoint must stay")
    _check_json(state.scalars, "scalars")
    return {name: TensorEntry(dtype=dtype_name(name, x), shape=list(x.shape)) for name, x in state.tensors.items()}


def _check_json(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise CheckpointError(f"{where} has the key {key!r}, which is not text; use str keys")
            _check_json(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _check_json(item, f"{where}[{number}]")
    elif not isinstance(value, str | int | float | None):
        raise CheckpointError(f"{where} is a {type(value).__name__}; scalars may hold text, numbers, true, false, null, lists and mappings")


def _prepare(run: Path, folder: Path, need: int) -> None:
    if not folder.is_dir():
        disk.make_folder(folder)
        disk.sync_folder(run)
    _sweep(folder)
    free = disk.free_bytes(folder)
    if free < need:
        raise OSError(errno.ENOSPC, f"{need / 1e6:.1f} MB are needed, {free / 1e6:.1f} MB are free")


def _sweep(folder: Path) -> None:
    """Remove what an interrupted save or clean-up left behind."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".tmp-", ".trash-")) and path.is_dir() and not path.is_symlink():
            disk.remove_folder(path)


def _write(folder: Path, step: int, state: State, index: dict[str, TensorEntry], *, best: bool) -> Path:
    temporary = folder / f".tmp-{folder_name(step)}"
    disk.make_folder(temporary)
    size, sha256 = disk.write_new(temporary / STATE, safetensors_pieces(state.tensors))
    manifest = Manifest(
        step=step,
        best=best,
        scalars=dict(state.scalars),
        tensors=index,
        files=Files(state=FileEntry(size=size, sha256=sha256)),
        made_with=_made_with(list(state.tensors.values())),
    )
    text = json.dumps(manifest.model_dump(), indent=1).encode()
    if len(text) > MANIFEST_LIMIT:
        raise OSError(errno.EFBIG, f"the manifest has {len(text)} bytes, {MANIFEST_LIMIT} are allowed; put large scalars into tensors")
    disk.write_new(temporary / MANIFEST, [text])
    disk.write_new(temporary / COMPLETE, [hashlib.sha256(text).hexdigest().encode()])
    disk.sync_folder(temporary)
    return temporary


def _made_with(tensors: Sequence[Tensor]) -> MadeWith:
    devices = {tensor.device.type for tensor in tensors}
    return MadeWith(torch=torch.__version__, threads=torch.get_num_threads(), device="+".join(sorted(devices - {"cpu"})) or "cpu")


def _commit(folder: Path, temporary: Path, step: int) -> Path:
    """Make it visible. A folder can't be replaced at once, so a step that is there already gets the next revision."""
    taken = [revision for found, revision in map(number_of, folder.iterdir()) if found == step]
    path = folder / folder_name(step, max(taken, default=-1) + 1)
    disk.rename(temporary, path)
    disk.sync_folder(folder)
    return path


def _collect(run: Path, newest: Path, keep: int) -> None:
    """Remove what no longer counts: first out of sight, durably, then for good; half a checkpoint is never visible."""
    doomed = [(path, path.with_name(f".trash-{path.name}")) for path in _doomed(checkpoints(run), newest, keep)]
    for path, trash in doomed:
        disk.rename(path, trash)
    if doomed:
        disk.sync_folder(newest.parent)
    for _, trash in doomed:
        disk.remove_folder(trash)


def _doomed(found: list[Path], newest: Path, keep: int) -> list[Path]:
    """`found` is newest first. A damaged one ages out like the others, but does not count towards `keep`."""
    doomed, kept, best_kept, seen = [], 0, False, -1
    for path in found:
        step = number_of(path)[0]
        manifest = _readable(path)
        best = manifest is not None and manifest.best and not best_kept
        if number_of(path) > number_of(newest) or step == seen or (kept >= keep and not best):
            doomed.append(path)
            continue
        seen, best_kept, kept = step, best_kept or best, kept + (manifest is not None)
    return doomed


def _readable(path: Path) -> Manifest | None:
    try:
        return read_manifest(path)
    except CheckpointError:
        return None


def _failure(folder: Path, step: int, error: OSError) -> str:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    cause = f"the disk is full ({error.strerror})" if full else error.strerror or str(error)
    remedy = "free some space" if full else "check the disk and its permissions"
    return f"checkpoint of step {step} could not be written to {folder}: {cause}. Older ones are untouched; {remedy} and resume the run."
