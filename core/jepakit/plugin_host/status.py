"""What became of one plugin at discovery: its state, the reason, the remedy, and what it brings when it is well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from jepakit.specs import CommandSpec, ComponentSpec, DoctorCheckSpec, RecipeSpec

BUILT_IN = "jepakit"
"""The distribution whose names can't be shadowed and which can't be switched off."""
State = Literal["ok", "disabled", "incompatible", "import_error", "invalid", "conflict"]
Spec = ComponentSpec | RecipeSpec | CommandSpec | DoctorCheckSpec


def normalise(distribution: str) -> str:
    """One spelling a distribution (PEP 503): jepakit_X, Jepakit.x and jepakit-x are the same."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def entry_name(distribution: str, entry_point: str) -> str:
    """How one entry point is called inside the plugin manager."""
    return f"{distribution}:{entry_point}"


@dataclass(frozen=True)
class PluginStatus:
    """One entry point of the group `jepakit`, or one file given by `--plugin`."""

    distribution: str
    version: str
    entry_point: str
    state: State
    reason: str = ""
    remedy: str = ""
    components: tuple[ComponentSpec, ...] = ()
    recipes: tuple[RecipeSpec, ...] = ()
    commands: tuple[CommandSpec, ...] = ()
    checks: tuple[DoctorCheckSpec, ...] = ()
    module: str = ""
    """The module that the entry point names."""
    poison: str = ""
    """What importing it changed in this process and can't be changed back, "" for nothing."""

    @property
    def built_in(self) -> bool:
        """Whether it belongs to jepakit itself."""
        return normalise(self.distribution) == BUILT_IN

    def modules(self) -> set[str]:
        """The modules that it says are its own."""
        targets = [spec.target for kind in (self.components, self.commands, self.checks) for spec in kind]
        return {target.partition(":")[0] for target in targets} | ({self.module} if self.module else set())

    def claims(self) -> Iterator[tuple[str, Spec]]:
        """Everything it brings, as (kind, spec); the kind of a component is its role."""
        yield from ((spec.role, spec) for spec in self.components)
        yield from (("recipe", spec) for spec in self.recipes)
        yield from (("command", spec) for spec in self.commands)
        yield from (("doctor check", spec) for spec in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json` and for tables; components as "role name"."""
        return {
            "distribution": self.distribution,
            "version": self.version,
            "entry_point": self.entry_point,
            "state": self.state,
            "reason": self.reason,
            "remedy": self.remedy,
            "components": [f"{spec.role} {spec.name}" for spec in self.components],
            "recipes": [spec.name for spec in self.recipes],
        }
