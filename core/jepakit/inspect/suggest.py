"""Which recipe fits: those of the modality are planned on the data, without training, until one of them can run."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from jepakit import engine
from jepakit.config import load_config
from jepakit.errors import JepakitError
from jepakit.plugin_host.host import Host
from jepakit.recipes import list_recipes

MOST_TRIED = 4


@dataclass(frozen=True)
class Suggestion:
    """recipe: the first that can run on the data, None when none can. command: to train it. plan: what it would be, for people.

    others: further recipes of the modality. problems: why those before it can't run.
    """

    recipe: str | None
    command: str | None
    plan: tuple[str, ...]
    others: tuple[str, ...]
    problems: tuple[str, ...]


def suggest(modality: str, source: str, host: Host) -> Suggestion:
    """A recipe for data of a modality; the one named like the modality is tried first."""
    names = [recipe["name"] for recipe in list_recipes(host) if recipe["modality"] == modality]
    names.sort(key=lambda name: (name != modality, not name.startswith(modality)))
    problems: list[str] = []
    for name in names[:MOST_TRIED]:
        try:
            plan = engine.plan(load_config(name, (), host), host, source)
        except JepakitError as error:
            problems.append(f"recipe {name} can't run on it: {error}")
            continue
        command = f"jepakit train {name} --data {shlex.quote(source)}"
        return Suggestion(name, command, tuple(plan.lines()), tuple(one for one in names if one != name), tuple(problems))
    return Suggestion(None, None, (), tuple(names), tuple(problems))
