"""`jepakit eval`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jepakit.cli.policy import Policy
from jepakit.cli.screen import open_screen

if TYPE_CHECKING:
    from rich.table import Table

    from jepakit.plugin_host.loader import Host
    from jepakit.report.table import Table as Arranged

WIDEST = 250
"""Columns a table may take where the output is no terminal."""


@click.command("eval")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", required=True, help="Labelled data the probes are trained on.")
@click.option("--test", help="Data they are judged on; bundled and synthetic sets bring their own.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change an option: --set evaluate.probes=[linear,mlp].")
@click.option("--checkpoint", default="latest", show_default=True, help="latest, best, or a step.")
@click.option("--plugin", "files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A one-file plugin.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def evaluate(
    policy: Policy,
    run: Path,
    data: str,
    test: str | None,
    overrides: tuple[str, ...],
    checkpoint: str,
    files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Compare the encoder of RUN with the same one untrained and with raw features, all under the same pooling and probe."""
    evaluate_and_print(run, policy.host(files), data, test, as_json, overrides, which=checkpoint)
    if not as_json:
        click.echo(f"next  jepakit report {run}")


def evaluate_and_print(
    run: Path, host: Host, data: str, test: str | None, as_json: bool, overrides: Sequence[str] = (), *, which: str = "latest"
) -> None:
    """The rows with their intervals, the pooling that was chosen, and the verdict; the last line of JSON is the whole evaluation."""
    from jepakit import engine

    with open_screen(as_json) as emit:
        found = engine.evaluate_run(run, host, data, test, emit, overrides, which=which)
    if as_json:
        click.echo(json.dumps({"event": "evaluation", **found.to_json()}))
        return
    rows = found.to_json()["rows"]
    print_rows(rows)
    print_folds(rows)
    print_poolings(found.pooling, found.pooling_scores, found.pooling_scores_untrained)
    click.echo("\n".join([*(f"note     {note}" for note in found.notes), found.sentence]))


def print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """One line a probe, the encoder beside what it has to beat; 95 % intervals in brackets, the best of a line marked.

    Where the terminal is too narrow for that, intervals stand below their values; nothing is cut off.
    """
    from rich.console import Console

    from jepakit.report.table import arrange

    arranged = arrange(rows)
    if arranged is None:
        return
    wide, screen, table = Console(width=WIDEST), Console(), rows_table(arranged, " ")
    fits = not screen.is_terminal or wide.measure(table).maximum <= screen.width
    wide.print(table if fits else rows_table(arranged, "\n"))


def print_folds(rows: Sequence[Mapping[str, Any]]) -> None:
    """Where samples were cut into folds: the first line of the table once more, fold by fold."""
    from rich.console import Console
    from rich.table import Table

    folds = list(dict.fromkeys(row["fold"] for row in rows if "fold" in row))
    if not folds:
        return
    first = {name: rows[0][name] for name in ("probe", "metric")} | {"labels": "all"}
    judged = [row for row in rows if all(row[name] == value for name, value in first.items())]
    names = list(dict.fromkeys(row["row"] for row in judged))
    table = Table("fold", *names, box=None, pad_edge=False)
    for fold in folds:
        values = {row["row"]: row["value"] for row in judged if row.get("fold") == fold}
        table.add_row(str(fold), *(f"{values[name]:.3f}" if name in values else "" for name in names))
    click.echo(f"\n{first['probe']}, all labels, {first['metric'].replace('_', ' ')}, by fold")
    Console(width=WIDEST).print(table)


def rows_table(arranged: Arranged, gap: str) -> Table:
    """The table of rows, `gap` between a value and its interval."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("probe", "labels", "metric", *arranged.rows):
        table.add_column(title, no_wrap=True)
    for line in arranged.lines:
        cells = ("" if cell is None else f"{cell.value}{' *' if cell.best else ''}{gap}({cell.interval})" for cell in line.cells)
        table.add_row(line.probe, line.labels, line.metric, *cells)
    return table


def print_poolings(chosen: str, encoder: Mapping[str, float | None], untrained: Mapping[str, float | None]) -> None:
    """One line a pooling: its cross-validated training score with the encoder and with the untrained one; the chosen one marked."""
    from rich.console import Console
    from rich.table import Table

    from jepakit.report.table import pooling_lines

    table = Table("pooling", "encoder", "untrained", "gain", box=None, pad_edge=False)
    for name, *scores in pooling_lines(encoder, untrained):
        table.add_row(f"{name} *" if name == chosen else name, *scores)
    click.echo()
    Console(width=WIDEST).print(table)
    minus = ", errors with a minus" if any(score is not None and score < 0 for score in encoder.values()) else ""
    click.echo(f"pooling  {chosen}, the best score of the encoder in cross-validation on training samples (above{minus})")
