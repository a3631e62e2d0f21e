"""Format 1 of a checkpoint: what is in the folder, and what its manifest must look like. No pickle anywhere.

```
run/checkpoints/step-00001234/     mode 0700; step-00001234.1 when the step was saved a second time, the higher number counts
    state.safetensors              every tensor under a flat name, "model/encoder.blocks.0.w"
    manifest.json                  step, scalars, index of the tensors, size and sha256 of the files, where it was made
    COMPLETE                       sha256 of manifest.json; a folder without it does not count
run/checkpoints/.tmp-* .trash-*    half written or half deleted; never read, swept by the next save
```
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

FOLDER = "checkpoints"
CHOSEN = "best.json"
"""Beside that folder: the step that a probe found best, where one was asked (`jepakit runs best RUN --data …`)."""
STATE, MANIFEST, COMPLETE = "state.safetensors", "manifest.json", "COMPLETE"
MANIFEST_LIMIT = 32 << 20
"""Bytes; 100,000 tensors need about 10 MiB."""

DTYPES: Mapping[torch.dtype, str] = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
    torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2",
}  # fmt: skip
"""Names of dtypes in the safetensors format."""


@dataclass(frozen=True, eq=False)
class State:
    """All that a run needs to go on. Random numbers are not in it: they are functions of (seed, epoch, sample id).

    step: number of optimiser steps done. tensors: flat name → tensor, see `pack`.
    scalars: whatever JSON can hold: stream position, state of the monitor. Tuples come back as lists; NaN and infinity are kept.
    made_with: filled by loading: torch version, threads and device type. Resuming is bit-exact where all three are the same.
    skipped: filled by loading: one sentence for each newer checkpoint that was passed over because it is damaged.
    """

    step: int
    tensors: Mapping[str, Tensor]
    scalars: Mapping[str, Any] = field(default_factory=dict)
    made_with: Mapping[str, Any] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TensorEntry(_Strict):
    """What one tensor must turn out to be."""

    dtype: str
    shape: list[Annotated[int, Field(ge=0)]]


class FileEntry(_Strict):
    """What one file must turn out to be; size in bytes."""

    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Files(_Strict):
    """The files beside the manifest. Fields, not a mapping: a manifest can never name a path."""

    state: FileEntry


class MadeWith(_Strict):
    """What decides whether resuming is bit-exact."""

    torch: str
    threads: int
    device: str


class Manifest(_Strict):
    """manifest.json. best: the collapse watch found the highest rank here, so this one is kept."""

    format: Literal[1] = 1
    step: Annotated[int, Field(ge=0)]
    best: bool
    scalars: dict[str, Any]
    tensors: dict[str, TensorEntry]
    files: Files
    made_with: MadeWith


_NAME = re.compile(r"step-(\d{8,18})(?:\.(\d{1,9}))?", re.ASCII)


def folder_name(step: int, revision: int = 0) -> str:
    """step-00001234, or step-00001234.1 for the second time that the step is saved."""
    return f"step-{step:08d}" + (f".{revision}" if revision else "")


def number_of(path: Path) -> tuple[int, int]:
    """(step, revision) of a checkpoint folder; (-1, 0) for any other name."""
    match = _NAME.fullmatch(path.name)
    return (int(match[1]), int(match[2] or 0)) if match else (-1, 0)


def checkpoints(run: Path) -> list[Path]:
    """Folders of this run that look like checkpoints, newest first. Nothing in them is checked; links don't count."""
    folder = run / FOLDER
    found = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()] if folder.is_dir() else []
    return sorted((path for path in found if number_of(path) >= (0, 0)), key=number_of, reverse=True)
