"""`jepakit report`."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def report(run: Path, as_json: bool) -> None:
    """Write RUN/report.html, one file that needs nothing beside it."""
    from jepakit.report.page import write_report

    path = write_report(run)
    click.echo(json.dumps({"report": str(path)}) if as_json else str(path))
