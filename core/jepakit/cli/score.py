"""`jepakit score`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from jepakit.cli.policy import Policy
from jepakit.cli.screen import open_screen

SHOWN = 10


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", required=True, help="The samples to rank; labels are not used.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A .csv or .parquet file that does not exist yet.")
@click.option("--probes", type=click.IntRange(min=2), help="Estimate with so many random probes; exact by default up to 512 dimensions.")
@click.option("--limit", type=click.IntRange(min=1), help="Score the first so many samples only.")
@click.option("--checkpoint", "which", default="latest", show_default=True, help="latest, best, or a step.")
@click.option("--plugin", "files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A one-file plugin.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def score(
    policy: Policy,
    run: Path,
    data: str,
    out: Path,
    probes: int | None,
    limit: int | None,
    which: str,
    files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Rank samples by how typical the encoder of RUN finds them (JEPA-SCORE); the least typical come first."""
    from jepakit import checkpoint, engine
    from jepakit.score import score_run

    host = policy.host(files)
    config, _ = engine.config_of(run, host)
    with open_screen(as_json) as emit:
        found = score_run(checkpoint.load_named(run, which), config, host, data, out, probes=probes, limit=limit, emit=emit)
    shown = found.table.head(SHOWN)
    if as_json:
        lowest = shown[["id", "score", "error"]].to_dict("records")
        click.echo(json.dumps({"event": "ranking", "out": str(out), "count": len(found.table), "method": found.method, "lowest": lowest}))
        return
    click.echo(f"{len(found.table)} samples in {out}, {found.method}; the least typical:")
    for row in shown.itertuples():
        click.echo(f"  {row.score:12.2f}  {row.id}")
