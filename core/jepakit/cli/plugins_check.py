"""`jepakit plugins check`: the conformance kit on one plugin, a line a check."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepakit.cli.policy import Policy

if TYPE_CHECKING:
    from jepakit.testing import Outcome

MARKS = {"passed": "ok", "failed": "FAILED", "skipped": "-", "expected": "expected", "surprise": "SURPRISE"}


@click.command()
@click.argument("plugin", metavar="DIST|FILE.py")
@click.option("--recipe", "recipes", multiple=True, help="A recipe file that belongs to the plugin.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Bring its recipes to a size for tests.")
@click.option("--fast", is_flag=True, help="Leave out what trains for more than a few steps.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def check(policy: Policy, plugin: str, recipes: tuple[str, ...], overrides: tuple[str, ...], fast: bool, as_json: bool) -> int:
    """Check a plugin: an installed distribution, or a single file. Ends with 1 when a check fails."""
    from jepakit.testing import check_plugin, documented_failures, run_checks

    outcomes = []
    host = policy.host((Path(plugin),) if plugin.endswith(".py") and Path(plugin).is_file() else ())
    checks = check_plugin(plugin, overrides=overrides, recipes=recipes, host=host)
    for outcome in run_checks(checks, documented_failures(plugin, host), fast=fast):
        outcomes.append(outcome)
        if not as_json:
            _print(outcome)
    bad = [outcome for outcome in outcomes if not outcome.good]
    if as_json:
        click.echo(json.dumps({"plugin": plugin, "good": not bad, "checks": [outcome.to_json() for outcome in outcomes]}))
    else:
        found = Counter(outcome.state for outcome in outcomes)
        documented = f", {found['expected']} failed as documented" if found["expected"] else ""
        click.echo(f"{found['passed']} passed, {len(bad)} failed{documented}, {found['skipped']} do not apply")
    return 1 if bad else 0


def _print(outcome: Outcome) -> None:
    click.echo(f"{MARKS[outcome.state]:9} {outcome.name}" + (f": {outcome.sentence}" if outcome.sentence else ""))
    if outcome.remedy:
        click.echo(f"{'':9} → {outcome.remedy}")
