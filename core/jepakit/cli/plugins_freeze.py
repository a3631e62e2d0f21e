"""`jepakit plugins freeze` and `jepakit plugins sync`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from jepakit.cli.plugins_install import (
    dry_run_option,
    from_option,
    hashes_option,
    install_and_print,
    json_option,
    yes_option,
)
from jepakit.errors import ConfigError
from jepakit.plugin_host import freeze as frozen_plugins
from jepakit.plugin_host.install import Demands
from jepakit.plugin_host.pip import Source


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def freeze(as_json: bool) -> None:
    """Print the installed plugins with version and digest: jepakit plugins freeze > plugins.lock"""
    found = frozen_plugins.freeze()
    click.echo(json.dumps({"plugins": frozen_plugins.to_json(found)}) if as_json else frozen_plugins.to_text(found), nl=as_json)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@hashes_option
@yes_option
@dry_run_option
@from_option
@json_option
def sync(file: Path, require_hashes: bool, yes: bool, dry_run: bool, folder: Path | None, as_json: bool) -> None:
    """Install what FILE, written by `freeze`, names and this installation lacks or has otherwise. Nothing is uninstalled.

    A plugin whose content is not what was frozen is refused, even under the same version.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} can't be read: {error}; expected what `jepakit plugins freeze` wrote") from error
    missing = frozen_plugins.differing(frozen_plugins.read_frozen(text, str(file)))
    if not missing:
        click.echo(json.dumps({"install": [], "command": [], "installed": False}) if as_json else f"all plugins are as {file} says")
        return
    demands = Demands(Source(folder), require_hashes, {one.distribution: one.content for one in missing}, again=True)
    install_and_print([one.pin for one in missing], demands, yes=yes, dry_run=dry_run, as_json=as_json)
