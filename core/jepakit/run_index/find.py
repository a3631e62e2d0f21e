"""Where runs are: every folder below a path that holds a config and an environment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from jepakit.errors import UsageError
from jepakit.runs import CONFIG, ENVIRONMENT

DEEPEST = 4
"""Folders below the one that was named; runs lie in runs/NAME or in sweeps/DATE/NAME."""


def find_runs(places: Sequence[Path]) -> list[Path]:
    """Every run in or below `places`, each once, by path. UsageError for a place that is no folder."""
    found: dict[Path, None] = {}
    for place in places:
        if not place.is_dir():
            raise UsageError(f"{place} is no folder; give a run or a folder of runs (`jepakit train` writes to runs/ by default)")
        found |= dict.fromkeys(_below(place, DEEPEST))
    return sorted(found)


def is_run(path: Path) -> bool:
    """Whether a folder is a run."""
    return (path / CONFIG).is_file() and (path / ENVIRONMENT).is_file()


def _below(folder: Path, depth: int) -> Iterator[Path]:
    if is_run(folder):
        yield folder
        return
    if depth == 0:
        return
    try:
        inside = [entry.path for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")]
    except PermissionError:
        return
    for path in inside:
        yield from _below(Path(path), depth - 1)
