"""`jepakit plugins doctor`: every plugin imported in a process of its own, and what that showed."""

from __future__ import annotations

import json

import click

from jepakit.cli.policy import Policy
from jepakit.errors import UsageError, unknown_name
from jepakit.plugin_host.examine import Examination, examine
from jepakit.plugin_host.loader import installed
from jepakit.plugin_host.status import BUILT_IN, normalise


@click.command()
@click.argument("distribution", required=False)
@click.option("--deadline", type=click.FloatRange(min=1), default=30.0, show_default=True, help="Seconds a plugin may compute.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def doctor(policy: Policy, distribution: str | None, deadline: float, as_json: bool) -> int:
    """Import each plugin (or DISTRIBUTION alone) in another process and name what is wrong with it. Exit code 3 when anything is.

    Nothing is imported into this process, so a plugin that hangs or crashes is named like any other.
    """
    outside = [one for one in installed() if normalise(one.distribution) != BUILT_IN]
    known = {normalise(one.distribution) for one in outside}
    if distribution is not None and normalise(distribution) not in known:
        raise UsageError(unknown_name("plugin", distribution, known))
    chosen = [one for one in outside if distribution is None or normalise(one.distribution) == normalise(distribution)]
    found = [examine(one.distribution, one.version, one.entry_point, deadline) for one in chosen]
    if as_json:
        click.echo(json.dumps({"plugins": [one.to_json() for one in found]}))
    else:
        click.echo("\n".join(map(_lines, found)) or "no plugins but jepakit's own")
    return 3 if any(one.problems for one in found) else 0


def _lines(found: Examination) -> str:
    title = f"{found.distribution} {found.version} ({found.entry_point})"
    if not found.problems:
        return f"ok    {title}  imported in {1000 * (found.seconds or 0):.0f} ms"
    return "\n".join([f"look  {title}", *(f"      {problem.kind}: {problem.text}\n        {problem.remedy}" for problem in found.problems)])
