"""The checkpoints that a run still has, and which of them is the best, read from their manifests without their tensors."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

FOLDER, MANIFEST, COMPLETE, CHOSEN = "checkpoints", "manifest.json", "COMPLETE", "best.json"
"""As `jepakit.checkpoint` names them; that room imports torch, this one must not."""
_NAME = re.compile(r"step-(\d+)(?:\.\d+)?", re.ASCII)


@dataclass(frozen=True)
class Kept:
    """One checkpoint. best: a probe chose it, or it had the highest rank of all that were saved. rank: as measured there.

    size: in bytes. score: the highest of the probe so far, where one was asked while it trained.
    """

    step: int
    path: str
    best: bool
    rank: float | None
    size: int
    score: float | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def checkpoints_of(run: Path) -> list[Kept]:
    """Whole checkpoints of a run, oldest first; `best` marks one at most, as `--checkpoint best` takes it."""
    folder = run / FOLDER
    found = [_read(path) for path in folder.iterdir() if _NAME.fullmatch(path.name)] if folder.is_dir() else []
    kept = sorted((one for one in found if one is not None), key=lambda one: one.step)
    marked = probed_step(run)
    if marked not in [one.step for one in kept]:
        marked = max((one.step for one in kept if one.best), default=None)
    return [replace(one, best=one.step == marked) for one in kept]


def probed_step(run: Path) -> int | None:
    """The step that a probe chose, from best.json; None where none was asked."""
    try:
        said = json.loads((run / CHOSEN).read_bytes())
    except (OSError, ValueError):
        return None
    step = said.get("step") if isinstance(said, dict) else None
    return step if isinstance(step, int) else None


def _read(path: Path) -> Kept | None:
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
        if not (path / COMPLETE).is_file():
            return None
        watch = manifest["scalars"].get("watch") or {}
        rank = (watch.get("latest") or {}).get("rank")
        score = (manifest["scalars"].get("probe") or {}).get("score")
        return Kept(manifest["step"], str(path), bool(manifest["best"]), rank, manifest["files"]["state"]["size"], score)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
