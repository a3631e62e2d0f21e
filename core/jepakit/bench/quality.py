"""`jepakit bench quality`: every recipe on the data that it names for this, trained, evaluated and put into one table.

Nothing here knows a kind of data: recipes say where they show what they are worth (`specs.QualitySet`), so a plugin that is installed
later adds its lines. A run that is there already is not trained again: the command can be stopped, and go on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jepakit import checkpoint, disk, engine
from jepakit.config import RunConfig, load_config
from jepakit.errors import ConfigError, JepakitError, unknown_name
from jepakit.plugin_host.host import Host
from jepakit.report.artifacts import read_evaluation
from jepakit.report.table import Line, arrange
from jepakit.specs import QualitySet, RecipeSpec
from jepakit.train.loop import Emit

VARIABLE = "JEPAKIT_DATA"


@dataclass(frozen=True)
class Case:
    """One recipe on one set."""

    recipe: RecipeSpec
    set: QualitySet

    @property
    def folder(self) -> str:
        """What its run is called."""
        return f"{self.recipe.name}-{self.set.name.replace(':', '-')}"

    @property
    def names(self) -> frozenset[str]:
        """What it answers to: its recipe, its set, and `bundled` if the set comes with a package."""
        return frozenset((self.recipe.name, self.set.name, self.set.name.partition(":")[0]))


@dataclass(frozen=True)
class Entry:
    """One line of the result. steps: of the run. line: the first probe on all labels. skipped: why there is none."""

    case: Case
    steps: int = 0
    line: Line | None = None
    verdict: str = ""
    skipped: str = ""


def cases(host: Host, names: Sequence[str], quick: bool) -> list[Case]:
    """What is to be measured, recipes by name. names: of recipes or sets, or `bundled`; none for all. ConfigError for any other name."""
    every = [Case(recipe, one) for recipe in sorted(host.recipes(), key=lambda spec: spec.name) for one in recipe.quality]
    known = {name for case in every for name in case.names}
    for name in names:
        if name not in known:
            raise ConfigError(unknown_name("recipe or quality set", name, sorted(known)))
    wanted = [case for case in every if not names or case.names & set(names)]
    return [case for case in wanted if case.set.quick is not None or not quick]


def run_bench(host: Host, out: Path, *, names: Sequence[str], quick: bool, steps: int | None = None, emit: Emit) -> list[Entry]:
    """All cases, one after another; a case that fails or lacks its data is an entry that says so. steps: of every run, None = its own."""
    entries = []
    for case in cases(host, names, quick):
        emit({"event": "case", "sentence": f"{case.recipe.name} on {case.set.name}"})
        try:
            entries.append(measured(case, changed(case, host, quick, steps), host, out / case.folder, emit))
        except JepakitError as error:
            entries.append(Entry(case, skipped=str(error)))
    disk.replace_file(out / "quality.json", json.dumps(to_json(entries), indent=1).encode())
    disk.replace_file(out / "quality.md", "\n".join([*markdown(entries), ""]).encode())
    return entries


def changed(case: Case, host: Host, quick: bool, steps: int | None) -> RunConfig:
    """The recipe with what the set changes in it."""
    changes = (*case.set.changes, *((case.set.quick or ()) if quick else ()))
    if steps is not None:
        changes = (*changes, "train.minutes=null", f"train.steps={steps}")
    return load_config(case.recipe.name, changes, host)


def measured(case: Case, config: RunConfig, host: Host, run: Path, emit: Emit) -> Entry:
    """Train where there is no run, go on where there is half of one, evaluate where that is missing."""
    data, test, pretrain = (place(source) for source in (case.set.data, case.set.test, case.set.pretrain))
    begun = (run / "config.yaml").exists()
    if begun and engine.config_of(run, host) != (config, pretrain or data):
        raise ConfigError(f"{run} holds a run with other options or data; give another --out, or remove it")
    if not (run / "evaluation.json").exists():
        ended = engine.resume(run, host, emit) if begun else engine.train(config, host, pretrain or data, run, emit)
        if ended.status == "interrupted":
            raise KeyboardInterrupt
        engine.evaluate_run(run, host, data, test or None, emit)
    found = read_evaluation(run)
    table = None if found is None else arrange(found["rows"])
    assert found is not None
    assert table is not None
    return Entry(case, steps=checkpoint.latest(run) or 0, line=table.headline, verdict=str(found["verdict"]))


def place(source: str) -> str:
    """The source with the folder of `JEPAKIT_DATA` put in. ConfigError where that is needed and not set."""
    if not source.startswith(f"${VARIABLE}"):
        return source
    folder = os.environ.get(VARIABLE)
    if not folder:
        raise ConfigError(f"{VARIABLE} is not set; it names the folder that holds {source.removeprefix(f'${VARIABLE}/')}")
    return source.replace(f"${VARIABLE}", folder)


def markdown(entries: Sequence[Entry]) -> Iterator[str]:
    """The table as it stands in documents: the best of a line in bold, 95 % intervals in brackets."""
    rows = list(dict.fromkeys(cell.row for entry in entries if entry.line for cell in entry.line.cells if cell))
    yield f"| recipe, data, steps | probe | {' | '.join(rows)} | verdict |"
    yield "|---" * (len(rows) + 3) + "|"
    for entry in entries:
        title = f"{entry.case.recipe.name}, {entry.case.set.name}"
        if entry.line is None:
            yield f"| {title} | not measured: {entry.skipped} |{' |' * (len(rows) + 1)}"
            continue
        cells = {cell.row: cell for cell in entry.line.cells if cell}
        said = (
            f"{f'**{cell.value}**' if cell.best else cell.value} ({cell.interval})" if (cell := cells.get(row)) else "–" for row in rows
        )
        yield f"| {title}, {entry.steps:,} | {entry.line.name}, {entry.line.metric} | {' | '.join(said)} | {entry.verdict} |"


def to_json(entries: Sequence[Entry]) -> Mapping[str, Any]:
    """Every value with its interval."""
    return {"bench": "quality", "entries": [_entry(entry) for entry in entries]}


def _entry(entry: Entry) -> Mapping[str, Any]:
    named = {"recipe": entry.case.recipe.name, "set": entry.case.set.name}
    if entry.line is None:
        return {**named, "skipped": entry.skipped}
    rows = {row: [one.value, one.low, one.high] for row, one in entry.line.intervals.items()}
    judged = {"probe": entry.line.probe, "labels": entry.line.labels, "metric": entry.line.metric}
    return {**named, "steps": entry.steps, **judged, "verdict": entry.verdict, "rows": rows}
