"""What a plugin hands over when it registers: frozen records that name things and import nothing.

A `target` is an import string "package.module:attribute". Listing plugins touches these records only; the attribute is imported
when a run names the component. This module imports neither torch nor pydantic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Role = Literal["modality", "tokenizer", "masker", "view", "encoder", "predictor", "target", "transform", "objective", "probe", "exporter"]
ROLES: tuple[str, ...] = get_args(Role)
API = 1
"""Version of the contract between plugins and the core; a plugin module says `API = 1`."""
FEATURES: tuple[str, ...] = ("advice", "asides", "inner", "pretrain", "run-events", "teacher-phase")
"""What was added to the API without breaking it. A plugin module that relies on some says so, `FEATURES = ("inner",)`, and is told
apart from a broken one by a core that lacks them."""


@dataclass(frozen=True)
class ComponentSpec:
    """One component under one name.

    target: import string of a factory, called as described in `jepakit.build` for its role.
    config: import string of the pydantic model of its options ("" when it has none); the recipe's section is validated by it.
    requires: names of optional packages, `extra`: the extra of the distribution that brings them.
    inner: whether it is made of "one" or "many" other components of its role, which a recipe names under the key `inner` and which
    its factory is handed, built, as the list `inner`.
    """

    role: Role
    name: str
    target: str
    config: str = ""
    summary: str = ""
    requires: tuple[str, ...] = ()
    extra: str = ""
    inner: Literal["", "one", "many"] = ""


@dataclass(frozen=True)
class QualitySet:
    """Labelled data on which `jepakit bench quality` trains and judges a recipe.

    data, test: as after `eval --data` and `--test`; "$JEPAKIT_DATA/…" lies in the folder that this variable names, and is skipped where it
    is unset. pretrain: what is trained on, where that is not `data`: it needs no labels, and must hold nothing of `test`.
    changes: "key=value" for this data. quick: further ones that make the run a matter of a minute; None leaves it out of --quick.
    """

    name: str
    data: str
    test: str = ""
    changes: tuple[str, ...] = ()
    quick: tuple[str, ...] | None = None
    pretrain: str = ""


@dataclass(frozen=True)
class RecipeSpec:
    """A complete run config shipped as package data. resource: "package:path/inside/it.yaml". quality: where it shows what it is worth."""

    name: str
    modality: str
    resource: str
    summary: str = ""
    paper: str = ""
    quality: tuple[QualitySet, ...] = ()


@dataclass(frozen=True)
class CommandSpec:
    """A command that a plugin adds to the command line. target: import string of a click command."""

    name: str
    target: str
    summary: str = ""


@dataclass(frozen=True)
class DoctorCheckSpec:
    """A check that `jepakit doctor` runs. target: import string of a function () -> (bool, str)."""

    name: str
    target: str
    summary: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)
