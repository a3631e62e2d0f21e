"""Finding and loading checkpoints. Nothing is used before its digest agrees; the bytes that were hashed are those that are parsed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jepakit import disk
from jepakit.checkpoint.format import (
    CHOSEN,
    COMPLETE,
    DTYPES,
    FOLDER,
    MANIFEST,
    MANIFEST_LIMIT,
    STATE,
    Manifest,
    State,
    checkpoints,
    number_of,
)
from jepakit.checkpoint.tensors import parse_safetensors
from jepakit.errors import CheckpointError


def steps(run: Path) -> list[int]:
    """Steps of which a checkpoint is there, ascending, without reading any of them."""
    return sorted({number_of(path)[0] for path in checkpoints(run)})


def latest(run: Path) -> int | None:
    """The highest step whose manifest is whole and whose files have the right size; digests of the files are left to loading."""
    return next((number_of(path)[0] for path in checkpoints(run) if _looks_whole(path)), None)


def latest_scalars(run: Path) -> dict[str, Any] | None:
    """The scalars of that step, without loading its tensors; None when there is none."""
    return next((read_manifest(path).scalars for path in checkpoints(run) if _looks_whole(path)), None)


def best(run: Path) -> int | None:
    """The step that a probe chose, as long as it is kept; else the newest that was saved with `best`, or None."""
    chosen = _chosen(run)
    if any(number_of(path)[0] == chosen and _looks_whole(path) for path in checkpoints(run)):
        return chosen
    return next((number_of(path)[0] for path in checkpoints(run) if _looks_whole(path) and read_manifest(path).best), None)


def load_latest(run: Path) -> State:
    """The newest state that verifies. `skipped` of the result names the newer ones that are damaged, and why."""
    found = checkpoints(run)
    if not found:
        raise CheckpointError(f"no checkpoint in {run / FOLDER}; check the path, or start the run anew")
    return _first_whole(found, run)


def load_step(run: Path, step: int) -> State:
    """The state of one step; CheckpointError naming the steps there are when it is missing."""
    found = [path for path in checkpoints(run) if number_of(path)[0] == step]
    if not found:
        raise CheckpointError(f"no checkpoint of step {step} in {run / FOLDER}; there is: {', '.join(map(str, steps(run))) or 'none'}")
    return _first_whole(found, run)


def load_named(run: Path, which: str) -> State:
    """The state that "latest", "best" (the richest embeddings) or a step names; CheckpointError when there is none."""
    if which == "latest":
        return load_latest(run)
    step = best(run) if which == "best" else int(which) if which.isdecimal() else -1
    if step is None:
        raise CheckpointError(f"{run} has no checkpoint marked best; use checkpoint 'latest'")
    if step < 0:
        raise CheckpointError(f"checkpoint '{which}' is none of: latest, best, or the number of a step")
    return load_step(run, step)


def _first_whole(found: list[Path], run: Path) -> State:
    skipped: list[str] = []
    for path in found:
        try:
            return replace(load(path), skipped=tuple(skipped))
        except CheckpointError as error:
            skipped.append(str(error))
    raise CheckpointError(f"no checkpoint in {run / FOLDER} can be used: {'; '.join(skipped)}")


def load(path: Path) -> State:
    """The state in one checkpoint folder; CheckpointError when anything in it is not what was written."""
    manifest = read_manifest(path)
    data = _read(path / STATE, manifest.files.state.size)
    if hashlib.sha256(data).hexdigest() != manifest.files.state.sha256:
        raise CheckpointError(_damaged(path / STATE))
    try:
        tensors = parse_safetensors(data)
    except CheckpointError as error:
        raise CheckpointError(f"{path / STATE}: {error}") from error
    found = {name: (DTYPES.get(x.dtype), list(x.shape)) for name, x in tensors.items()}
    if found != {name: (entry.dtype, entry.shape) for name, entry in manifest.tensors.items()}:
        raise CheckpointError(f"{path / STATE} does not hold the tensors that {MANIFEST} lists")
    return State(manifest.step, tensors, manifest.scalars, manifest.made_with.model_dump())


def verify(path: Path) -> Manifest:
    """Check every digest of one checkpoint folder without loading it; CheckpointError naming the file that is damaged."""
    manifest = read_manifest(path)
    try:
        digest = disk.digest_file(path / STATE, limit=manifest.files.state.size)
    except OSError as error:
        raise CheckpointError(f"{path / STATE} can't be read: {error}") from error
    if digest != manifest.files.state.sha256:
        raise CheckpointError(_damaged(path / STATE))
    return manifest


def read_manifest(path: Path) -> Manifest:
    """The manifest of one checkpoint folder, its digest checked against COMPLETE."""
    if path.is_symlink():
        raise CheckpointError(f"{path} is a link; a checkpoint must be a real folder")
    text = _read(path / MANIFEST, MANIFEST_LIMIT)
    if _read(path / COMPLETE, 64) != hashlib.sha256(text).hexdigest().encode():
        raise CheckpointError(_damaged(path / MANIFEST))
    try:
        manifest = Manifest.model_validate(json.loads(text))
    except ValidationError as error:
        raise CheckpointError(_invalid(path, error)) from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path / MANIFEST} is not valid JSON: {error}") from error
    if manifest.step != number_of(path)[0]:
        raise CheckpointError(f"{path} holds step {manifest.step}; it was renamed. Give the folder its old name back")
    return manifest


def _chosen(run: Path) -> int | None:
    """The step that best.json names; None without that file, or when it can't be read."""
    try:
        said = json.loads(disk.read_file(run / CHOSEN, limit=1 << 20))
    except (OSError, ValueError):
        return None
    step = said.get("step") if isinstance(said, dict) else None
    return step if isinstance(step, int) else None


def _looks_whole(path: Path) -> bool:
    try:
        return read_manifest(path).files.state.size == (path / STATE).lstat().st_size
    except (CheckpointError, OSError):
        return False


def _read(path: Path, limit: int) -> bytes:
    try:
        return disk.read_file(path, limit=limit)
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error}") from error


def _damaged(path: Path) -> str:
    return f"{path} is damaged: its sha256 is not the recorded one"


def _invalid(path: Path, error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    return f"{path / MANIFEST}: {field}: {first['msg']}; it was written by another version of jepakit or changed by hand"
