"""`jepakit plugins install`."""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from jepakit.cli.table import print_table
from jepakit.errors import UsageError
from jepakit.plugin_host.catalogue import read_catalogue
from jepakit.plugin_host.install import Demands, Step, apply, prepare, wanted_names, write_lock
from jepakit.plugin_host.names import Pinned
from jepakit.plugin_host.pip import Source

yes_option = click.option("--yes", "-y", is_flag=True, help="Install without asking.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Fetch, inspect and say what would be installed; install nothing.")
from_option = click.option(
    "--from",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with wheels, used in place of the package index.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object; needs --yes or --dry-run.")
hashes_option = click.option("--require-hashes", is_flag=True, help="Refuse every file whose digest was not known before.")


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@hashes_option
@yes_option
@dry_run_option
@from_option
@json_option
def install(names: tuple[str, ...], require_hashes: bool, yes: bool, dry_run: bool, folder: Path | None, as_json: bool) -> None:
    """Install the plugins NAME… (a name, name==version, or the path of a .whl file).

    Every file is fetched and inspected first, then shown; pip installs exactly these files. What is installed already keeps its
    version. A plugin is code with your rights: jepakit looks for known tricks, it can't vouch for what the code does.
    """
    wanted = wanted_names(names, read_catalogue())
    install_and_print(wanted, Demands(Source(folder), require_hashes), yes=yes, dry_run=dry_run, as_json=as_json)


def install_and_print(wanted: Sequence[Pinned | Path], demands: Demands, *, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Prepare, show, ask, install; the common part of `install` and `sync`."""
    if not yes and not dry_run and (as_json or not sys.stdin.isatty()):
        raise UsageError("there is nobody to ask here; say --yes to install, or --dry-run to look")
    with tempfile.TemporaryDirectory(prefix="jepakit-install-") as name:
        folder = Path(name)
        steps = prepare(wanted, folder, read_catalogue(), demands)
        command = write_lock(steps, folder) if steps else []
        if not as_json:
            _show(steps, command)
        if steps and not dry_run:
            if not yes:
                click.confirm(f"Install {len(steps)} file{'s' if len(steps) > 1 else ''}?", abort=True)
            apply(steps, folder)
    done = bool(steps) and not dry_run
    if as_json:
        click.echo(json.dumps({"install": [step.to_json() for step in steps], "command": command, "installed": done}))
    elif done:
        click.echo("installed; `jepakit plugins list` shows whether all is well")


def _show(steps: Sequence[Step], command: Sequence[str]) -> None:
    if not steps:
        click.echo("nothing to do: all of it is installed")
        return
    rows = []
    for step in steps:
        change = f"{step.here} → {step.wheel.version}" if step.here not in ("", step.wheel.version) else step.wheel.version
        why = ("plugin" if step.asked else "needed by it") + (", digest known" if step.known else "")
        rows.append((step.wheel.distribution, change, why, f"{step.wheel.sha256[:19]}…", step.wheel.summary))
    print_table(("DISTRIBUTION", "VERSION", "WHY", "DIGEST", "WHAT IT SAYS IT IS"), rows, keep=4)
    click.echo(f"\n{shlex.join(command)}")
    for step in steps:
        click.echo(f"  {step.wheel.path.name} --hash={step.wheel.sha256}")
