"""`jepakit import`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from jepakit.cli.policy import Policy


@click.command("import")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--recipe", default="image", show_default=True, help="Whose tokenizer takes over the projection of patches.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A folder that does not exist yet.")
@click.option("--heads", type=click.IntRange(min=1), help="Attention heads.  [default: what config.json says, else width / 64]")
@click.option("--plugin", "files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A one-file plugin.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def adopt(policy: Policy, folder: Path, recipe: str, out: Path, heads: int | None, files: tuple[Path, ...], as_json: bool) -> None:
    """Take over the weights in FOLDER (model.safetensors of a plain vision transformer, by transformers or timm) into our encoder."""
    from jepakit.export.adopt import adopt as take_over

    found = take_over(folder, recipe, policy.host(files), out, heads)
    click.echo(json.dumps(asdict(found)) if as_json else "\n".join([*found.lines(), f"next  jepakit embed {out} --data … --out z.parquet"]))
