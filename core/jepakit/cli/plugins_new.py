"""`jepakit plugins new`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from jepakit.cli.policy import Policy
from jepakit.scaffold import PREFIX, create, kinds


@click.command()
@click.argument("name")
@click.option("--modality", required=True, metavar="KIND", help=f"What one sample is: {', '.join(kinds())}.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Folder to put it in.  [default: the current one]"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def new(policy: Policy, name: str, modality: str, out: Path, as_json: bool) -> None:
    """Write the package NAME, such as jepakit-tides: a plugin for your own data that is complete and trains at once.

    It holds a reader, a tokenizer, made-up data with known classes, a recipe, tests, a README, and workflows that test it and
    publish it without a password. Nothing that exists is overwritten.
    """
    folder = create(name, modality, out, policy.host())
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    if as_json:
        click.echo(json.dumps({"folder": str(folder), "files": files}))
        return
    short = name.removeprefix(PREFIX)
    click.echo(f"{folder}: {len(files)} files\n")
    click.echo(f"  pip install -e {folder}")
    click.echo(f"  jepakit plugins check {name}")
    click.echo(f"  jepakit train {short} --data synthetic\n")
    click.echo(f"README.md in it says which file to change for what. Start with {name.replace('-', '_')}/reader.py")
