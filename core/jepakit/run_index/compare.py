"""Runs side by side: what was asked for differently, what they ran on differently, what came out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jepakit.errors import UsageError
from jepakit.run_index.find import is_run
from jepakit.run_index.summary import Summary, read_evaluation, summarise
from jepakit.runs import read_config, read_environment

ABSENT = "–"
RESULTS = ("status", "step", "loss", "rank", "watch", "verdict")


@dataclass(frozen=True)
class Difference:
    """One option that is not the same in all runs; values in the order of the runs, `–` where a run has no such option."""

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Comparison:
    """runs: their summaries. config, machine: what differs. results: one line a number, every run's value."""

    runs: tuple[Summary, ...]
    config: tuple[Difference, ...]
    machine: tuple[Difference, ...]
    results: tuple[Difference, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(paths: Sequence[Path]) -> Comparison:
    """Two runs or more, side by side. UsageError for fewer, or for a path that is no run."""
    if len(paths) < 2:
        raise UsageError("give two runs or more to compare")
    for path in paths:
        if not is_run(path):
            raise UsageError(f"{path} is no run; give folders that `jepakit train … --out` wrote (`jepakit runs list` shows them)")
    runs = tuple(summarise(path) for path in paths)
    machines = [_machine(read_environment(path)) for path in paths]
    return Comparison(
        runs,
        differences([flat(read_config(path)) for path in paths]),
        differences([flat(machine) for machine in machines]),
        results(runs, [read_evaluation(path) for path in paths]),
    )


def differences(sides: Sequence[Mapping[str, Any]]) -> tuple[Difference, ...]:
    """Every key whose value is not the same on all sides, in the order of the first side that has it."""
    keys = dict.fromkeys(key for side in sides for key in side)
    found = (Difference(key, tuple(side.get(key, ABSENT) for side in sides)) for key in keys)
    return tuple(one for one in found if any(value != one.values[0] for value in one.values[1:]))


def flat(value: Any, key: str = "") -> dict[str, Any]:
    """{"encoder.width": 192, "objective.0.weight": 1.0, …}; lists of plain values stay whole."""
    if isinstance(value, Mapping):
        items: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        items = enumerate(value)
    else:
        return {key: value}
    return {name: leaf for part, item in items for name, leaf in flat(item, f"{key}.{part}" if key else str(part)).items()}


def results(runs: Sequence[Summary], judged: Sequence[Mapping[str, Any]]) -> tuple[Difference, ...]:
    """How the runs stand, then every number of the encoder's evaluation."""
    lines = [Difference(name, tuple(getattr(run, name) for run in runs)) for name in RESULTS]
    sides = [scores(one) for one in judged]
    names = dict.fromkeys(name for side in sides for name in side)
    lines += [Difference(name, tuple(side.get(name) for side in sides)) for name in names]
    return tuple(line for line in lines if any(value not in (None, "") for value in line.values))


def scores(judged: Mapping[str, Any]) -> dict[str, float]:
    """The encoder's numbers by probe, labels and metric, and what it gained over the same encoder untrained."""
    rows = [row for row in judged.get("rows") or () if row.get("fold") is None]
    values = {(row["row"], f"{row['probe']}, {row['labels']} labels: {row['metric']}"): float(row["value"]) for row in rows}
    found = {}
    for (row, name), value in values.items():
        if row == "encoder" and math.isfinite(value):
            found[name] = value
            found |= {f"{name}, over untrained": value - values["untrained", name]} if ("untrained", name) in values else {}
    return found


def _machine(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What a run ran on, plugins by name."""
    plugins = {plugin.get("distribution", "?"): plugin for plugin in environment.get("plugins") or () if isinstance(plugin, Mapping)}
    names = ("python", "platform", "cpus", "threads", "device", "packages")
    return {name: environment[name] for name in names if name in environment} | {"plugins": plugins, "data": environment.get("data", {})}
