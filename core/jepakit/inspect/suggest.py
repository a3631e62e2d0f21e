"""Which recipe fits: those of the modality are planned on the data, without training, until one of them can run."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from jepakit import engine
from jepakit.config import load_config
from jepakit.errors import JepakitError
from jepakit.forecast import Plan
from jepakit.plugin_host.host import Host
from jepakit.recipes import list_recipes

MOST_TRIED = 4


@dataclass(frozen=True)
class Suggestion:
    """recipe: the first that can run on the data, None when none can. command: to train it. plan: what it would be, for people.

    others: further recipes of the modality. problems: why those before it can't run, and what to mind with this one.
    """

    recipe: str | None
    command: str | None
    plan: tuple[str, ...]
    others: tuple[str, ...]
    problems: tuple[str, ...]


def suggest(modality: str, source: str, host: Host, changes: Sequence[str] = ()) -> Suggestion:
    """A recipe for data of a modality, with changes in it; the one named like the modality is tried first."""
    names = [recipe["name"] for recipe in list_recipes(host) if recipe["modality"] == modality]
    names.sort(key=lambda name: (name != modality, not name.startswith(modality)))
    problems: list[str] = []
    for name in names[:MOST_TRIED]:
        try:
            plan = engine.plan(load_config(name, changes, host), host, source)
        except JepakitError as error:
            problems.append(f"recipe {name} can't run on it: {error}")
            continue
        command = " ".join((f"jepakit train {name} --data {shlex.quote(source)}", *(f"--set {shlex.quote(one)}" for one in changes)))
        others = tuple(one for one in names if one != name)
        return Suggestion(name, command, tuple(plan.lines()), others, (*problems, *minded(plan)))
    return Suggestion(None, None, (), tuple(names), tuple(problems))


def minded(plan: Plan) -> list[str]:
    """What would go wrong with a run that can start."""
    found = []
    if plan.samples < plan.batch:
        found.append(f"{plan.samples} samples are fewer than a batch of {plan.batch}: enough to see that it runs, not to learn from")
    if plan.device == "cpu" and plan.memory_mib > (here := memory_mib()):
        found.append(
            f"a step needs about {plan.memory_mib / 1024:.0f} GiB, this machine has {here / 1024:.0f}: --set data.batch=N with a smaller N"
        )
    return found


def memory_mib() -> int:
    """Memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
