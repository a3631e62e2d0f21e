"""`jepakit runs list|show|compare|best`."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jepakit.cli.policy import Policy

if TYPE_CHECKING:
    from jepakit.run_index.compare import Difference
    from jepakit.run_index.summary import Summary

DEFAULT = Path("runs")
WIDEST = 250
"""Columns a table may take where the output is no terminal."""
LONGEST = 60
"""Characters of a value in a table; --json has all of it."""
ORDERS = {"time": "changed", "name": "path", "rank": "rank", "score": "score", "loss": "loss"}
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object.")
a_run = click.argument("run", type=click.Path(path_type=Path))
several = click.argument("places", nargs=-1, type=click.Path(path_type=Path))


@click.group(no_args_is_help=False)
def runs() -> None:
    """Look at runs: list them, show one, compare several, name the best checkpoint."""


@runs.command("list")
@several
@click.option("--sort", type=click.Choice(list(ORDERS)), default="time", show_default=True, help="What the lines are ordered by.")
@as_json
def list_(places: tuple[Path, ...], sort: str, as_json: bool) -> None:
    """Every run in or below PLACES (default: runs/), the newest, or the highest, last."""
    found = sorted(summaries(places), key=lambda run: _order(run, sort))
    if as_json:
        click.echo(json.dumps({"runs": [run.to_json() for run in found]}))
        return
    print_table(
        ("run", "recipe", "data", "status", "step", "loss", "rank", "watch", "score", "untrained", "metric", "learned", "changed"),
        [_line(run) for run in found],
    )


@runs.command()
@a_run
@as_json
def show(run: Path, as_json: bool) -> None:
    """What RUN is, how far it came, what it scored, which checkpoints it keeps."""
    from jepakit.run_index.kept import checkpoints_of
    from jepakit.run_index.summary import read_evaluation

    (found,) = summaries((run,), exactly=True)
    kept, judged = checkpoints_of(run), read_evaluation(run)
    if as_json:
        click.echo(json.dumps({**found.to_json(), "checkpoints": [one.to_json() for one in kept], "evaluation": judged or None}))
        return
    facts = [(name, value) for name, value in found.to_json().items() if value not in (None, "") and name not in ("changed", "chosen_by")]
    width = max(len(name) for name, _ in facts)
    click.echo("\n".join(f"{name:{width}}  {shown(value) if isinstance(value, float) else value}" for name, value in facts))
    for one in kept:
        rank = "" if one.rank is None else f"  rank {shown(one.rank)}"
        click.echo(f"{'checkpoint':{width}}  {one.step}{rank}{'  best' if one.best else ''}{'  latest' if one is kept[-1] else ''}")
    click.echo(judged.get("sentence") or f"next  jepakit eval {run} --data …")


@runs.command("compare")
@several
@click.option("--report", is_flag=True, help="Write one HTML file as well, with the curves on top of each other.")
@click.option("--out", type=click.Path(path_type=Path), default="comparison.html", show_default=True, help="Where --report writes.")
@as_json
def compare_(places: tuple[Path, ...], report: bool, out: Path, as_json: bool) -> None:
    """PLACES are two runs or more: what differs in their configs and machines, and what came out."""
    from jepakit.run_index.compare import compare

    found = compare(places)
    if report:
        from jepakit.run_index.page import write_comparison

        write_comparison(found, out)
    if as_json:
        click.echo(json.dumps(found.to_json() | ({"report": str(out)} if report else {})))
        return
    names = [run.name for run in found.runs]
    for title, lines in (("config", found.config), ("machine", found.machine), ("results", found.results)):
        print_differences(title, names, lines)
    if report:
        click.echo(f"wrote {out}")


@runs.command()
@several
@click.option("--data", help="Labelled training data: all checkpoints of the one run given are judged on it, and the best is noted.")
@as_json
@click.pass_obj
def best(policy: Policy, places: tuple[Path, ...], data: str | None, as_json: bool) -> None:
    """The best of all runs in or below PLACES (default: runs/) and its best checkpoint, chosen without test samples.

    Without --data a checkpoint is best that had the highest rank when it was saved. What is chosen is what --checkpoint best takes.
    """
    from jepakit.run_index.best import choose

    if data is not None:
        probe(places, data, policy, quiet=as_json)
    found = choose(summaries(places))
    if as_json:
        click.echo(json.dumps(found.to_json()))
        return
    which = "best" if found.checkpoint.best else "latest"
    click.echo(f"{found.run.path}, step {found.checkpoint.step}: {found.checkpoint.path}")
    click.echo(f"{found.rule}\nnext  jepakit embed {found.run.path} --checkpoint {which} --data … --out z.parquet")


def probe(places: Sequence[Path], data: str, policy: Policy, *, quiet: bool) -> None:
    """Judge the checkpoints of one run by a probe. UsageError for anything but one run."""
    from jepakit.cli.screen import show_line
    from jepakit.errors import UsageError
    from jepakit.run_index.find import is_run
    from jepakit.run_index.probed import probe_checkpoints

    if len(places) != 1 or not is_run(places[0]):
        raise UsageError("--data judges the checkpoints of one run; name that run")
    probe_checkpoints(places[0], data, policy.host(), (lambda event: None) if quiet else show_line)


def summaries(places: Sequence[Path], *, exactly: bool = False) -> list[Summary]:
    """The runs of some places. exactly: the places are runs themselves. UsageError when there is none."""
    from jepakit.errors import UsageError
    from jepakit.run_index.find import find_runs, is_run
    from jepakit.run_index.summary import summarise

    if exactly and not all(map(is_run, places)):
        raise UsageError(f"{places[0]} is no run; `jepakit runs list FOLDER` shows those below a folder")
    found = list(places) if exactly else find_runs(places or (DEFAULT,))
    if not found:
        raise UsageError(f"no run in {', '.join(map(str, places or (DEFAULT,)))}; `jepakit train RECIPE --data DATA` makes one")
    return [summarise(path) for path in found]


def shown(value: Any) -> str:
    """A value in a cell: four digits of a number, a dash for nothing."""
    if value is None or value == "":
        return "–"
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def print_table(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Columns without a frame; nothing is cut off where the output is no terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*titles, box=None, pad_edge=False)
    for line in lines:
        table.add_row(*line)
    screen = Console()
    (screen if screen.is_terminal else Console(width=WIDEST)).print(table, markup=False, highlight=False)


def print_differences(title: str, names: Sequence[str], lines: Sequence[Difference]) -> None:
    """One block of a comparison."""
    if not lines:
        click.echo(f"{title}: no difference\n")
        return
    print_table((title, *names), [(line.key, *map(shown, line.values)) for line in lines])
    click.echo()


def _line(run: Summary) -> tuple[str, ...]:
    step = f"{run.step}/{run.total}" if run.total else str(run.step)
    numbers = map(shown, (run.score, run.untrained, run.metric, run.verdict))
    return (
        run.path,
        run.recipe,
        run.data,
        run.status,
        step,
        shown(run.loss),
        shown(run.rank),
        shown(run.watch),
        *numbers,
        _ago(run.changed),
    )


def _order(run: Summary, sort: str) -> tuple[bool, Any]:
    value = getattr(run, ORDERS[sort])
    return value is not None, value if value is not None else 0


def _ago(moment: float) -> str:
    minutes = max(0.0, time.time() - moment) / 60
    for size, name in ((60 * 24, "d"), (60, "h"), (1, "min")):
        if minutes >= size:
            return f"{minutes / size:.0f} {name} ago"
    return "now"
