"""`jepakit plugins`: a group whose commands stand in files of their own, imported when they are called; and `plugins list`."""

from __future__ import annotations

import json
from importlib import import_module

import click

from jepakit.cli.policy import Policy
from jepakit.errors import nearest
from jepakit.plugin_host.loader import PluginStatus

HERE = "jepakit.cli.plugins"
COMMANDS = {
    "list": (f"{HERE}:list_", "What is installed, and what became of each."),
    "search": (f"{HERE}_find:search", "Look through the catalogue of known plugins."),
    "info": (f"{HERE}_find:info", "Everything known about one plugin."),
    "install": (f"{HERE}_install:install", "Install plugins, each inspected before it is let in."),
    "freeze": (f"{HERE}_freeze:freeze", "Write down which plugins are installed."),
    "sync": (f"{HERE}_freeze:sync", "Install what a frozen file names, byte for byte."),
    "doctor": (f"{HERE}_doctor:doctor", "Import each plugin in a process of its own, and name what is wrong."),
    "new": (f"{HERE}_new:new", "Start a plugin of your own, one that trains at once."),
    "check": (f"{HERE}_check:check", "Hold a plugin against everything its contract promises."),
}
"""Name → (where the click command stands, its line in the help). A new command is a file plugins_NAME.py and a line here."""


class PluginsGroup(click.Group):
    """Imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise click.UsageError(f"no command named 'plugins {args[0]}'.{nearest(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=PluginsGroup, no_args_is_help=False)
def plugins() -> None:
    """Find, install, check and write plugins.

    \b
    jepakit plugins search heartbeat
    jepakit plugins install jepakit-NAME
    jepakit plugins new jepakit-NAME --modality timeseries
    """


@click.command("list")
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
