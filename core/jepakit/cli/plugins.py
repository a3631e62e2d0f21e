"""`jepakit plugins list`."""

from __future__ import annotations

import json

import click

from jepakit.cli.policy import Policy
from jepakit.plugin_host.loader import PluginStatus


@click.group(no_args_is_help=False)
def plugins() -> None:
    """What is installed beside the core."""


@plugins.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def list_(policy: Policy, as_json: bool) -> None:
    """Every plugin with its state; for one that is not ok, why and what to do."""
    found = policy.host().plugins
    if as_json:
        click.echo(json.dumps({"plugins": [status.to_json() for status in found]}))
        return
    width = max([len(_title(status)) for status in found], default=0)
    for status in found:
        click.echo(f"{_title(status):{width}}  {status.state:12}  {_line(status)}")
        if status.remedy:
            click.echo(f"{'':{width}}  {'':12}  {status.remedy}")


def _title(status: PluginStatus) -> str:
    return f"{status.distribution} {status.version} ({status.entry_point})"


def _line(status: PluginStatus) -> str:
    if status.state != "ok":
        return status.reason
    count = len(status.components)
    brings = f"{count} component{'' if count == 1 else 's'}"
    return f"{brings}; recipes: {', '.join(spec.name for spec in status.recipes)}" if status.recipes else brings
