"""One run in a line: what it is, how far it came, how it stands. Only the ends of long files are read."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from jepakit.runs import CONFIG, LOCK, METRICS

EVALUATION = "evaluation.json"
TAIL = 16 << 10
"""Bytes of metrics.jsonl that are read: some 30 lines, of which at least one holds a measure of the collapse watch."""
WANTED = ("recipe", "modality", "source")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is 7 times as fast


@dataclass(frozen=True)
class Summary:
    """A run as `jepakit runs list` shows it; None for what is not known.

    status: running, finished, stopped (it can be resumed), or new (no step yet). watch: the last word of the collapse watch.
    rank: the last that the watch measured. metric, score: of the linear probe with all labels (or the first probe), on test samples.
    chosen_by: cross-validated score on training samples, under which runs may be chosen; the higher the better.
    changed: seconds since 1970.
    """

    path: str
    name: str
    recipe: str
    modality: str
    data: str
    status: str
    step: int
    total: int | None
    loss: float | None
    rank: float | None
    watch: str
    metric: str | None
    score: float | None
    untrained: float | None
    verdict: str | None
    chosen_by: float | None
    changed: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def summarise(path: Path) -> Summary:
    """The summary of one run. Whatever is damaged or missing in it is None or empty, never an error."""
    said, last, judged = head(path), last_step(path), read_evaluation(path)
    step, total = int(last.get("step") or 0), last.get("total")
    metric, scores = headline(judged)
    return Summary(
        path=str(path),
        name=path.resolve().name,
        recipe=str(said.get("recipe", "")),
        modality=str(said.get("modality", "")),
        data=str(said.get("source", "")),
        status=status_of(path, step, total),
        step=step,
        total=total,
        loss=last.get("loss"),
        rank=last.get("rank"),
        watch=str(last.get("verdict", "")),
        metric=metric,
        score=scores.get("encoder"),
        untrained=scores.get("untrained"),
        verdict=judged.get("verdict"),
        chosen_by=training_score(judged),
        changed=max((entry.stat().st_mtime for entry in os.scandir(path) if entry.is_file() and entry.name != LOCK), default=0.0),
    )


def head(path: Path) -> dict[str, Any]:
    """Recipe, modality and data of a run. Only those lines are parsed: a whole config takes a hundred times as long."""
    kept: list[str] = []
    taking = False
    try:
        lines = (path / CONFIG).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    for line in lines:
        taking = line.partition(":")[0] in WANTED if line[:1].strip() else taking  # a long value goes on in indented lines
        kept += [line] if taking else []
    try:
        said = yaml.load("\n".join(kept), Loader=_Loader)  # a safe loader
    except yaml.YAMLError:
        return {}
    return said if isinstance(said, dict) else {}


def last_step(path: Path) -> dict[str, Any]:
    """The newest of what was logged of a step, with the newest measure of the watch; empty when nothing was."""
    try:
        with (path / METRICS).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            lines = file.read().splitlines()
    except OSError:
        return {}
    last: dict[str, Any] = {}
    for line in reversed(lines):
        record = _parsed(line)
        if record.get("event") == "step":
            last = {**record, **last}
        if "rank" in last:
            break
    return last


def read_evaluation(path: Path) -> dict[str, Any]:
    """evaluation.json of a run; empty when there is none that can be read."""
    try:
        return _parsed((path / EVALUATION).read_bytes())
    except OSError:
        return {}


def headline(judged: Mapping[str, Any]) -> tuple[str | None, dict[str, float]]:
    """The metric that stands for an evaluation, and its value for every contender: the first of the linear probe with all labels."""
    rows = [row for row in judged.get("rows") or () if isinstance(row, dict) and row.get("labels") == "all" and row.get("fold") is None]
    rows = [row for row in rows if str(row.get("probe", "")).startswith("linear")] or rows
    first = next((row for row in rows if row.get("row") == "encoder"), None)
    if first is None:
        return None, {}
    same = [row for row in rows if (row.get("probe"), row.get("metric")) == (first.get("probe"), first.get("metric"))]
    return first.get("metric"), {str(row["row"]): row["value"] for row in same if isinstance(row.get("value"), int | float)}


def training_score(judged: Mapping[str, Any]) -> float | None:
    """Cross-validated on training samples, under the pooling that was chosen there."""
    scores = judged.get("pooling_scores")
    found = scores.get(judged.get("pooling")) if isinstance(scores, dict) else None
    return float(found) if isinstance(found, int | float) else None


def status_of(path: Path, step: int, total: int | None) -> str:
    """How the run stands, from its lock and its last step."""
    if total is not None and step >= total:
        return "finished"
    if is_held(path):
        return "running"
    return "stopped" if step else "new"


def is_held(path: Path) -> bool:
    """Whether a process owns the run. Asked only of runs that are not finished, with a shared lock that is given back at once."""
    try:
        with (path / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
