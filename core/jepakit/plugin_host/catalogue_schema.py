"""What an entry of registry.yaml may hold, and nothing else: names and plain words. No command, no address, no invisible character.

Every field that can reach a command line is a name by the rules of Python packaging (PEP 508, PEP 440) in ASCII: a name that looks
like another because a letter comes from another alphabet can't be written down here.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StrictStr, model_validator

from jepakit.errors import nearest
from jepakit.plugin_host.names import skeleton
from jepakit.plugin_host.status import normalise
from jepakit.settings import Settings
from jepakit.specs import ROLES

LONGEST_NAME, LONGEST_LINE, MOST_NAMES, MOST_PLUGINS = 64, 160, 64, 2_000
"""Characters, names a role, plugins: several times what the largest plugin and the largest catalogue we can think of need."""


def _text(pattern: str, expected: str, longest: int = LONGEST_NAME) -> Any:
    """A validator of whole strings; its error says what was expected in words, not as a regular expression."""

    def check(text: str) -> str:
        if len(text) > longest:
            raise ValueError(f"expected at most {longest} characters, found {len(text):,}")
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(f"expected {expected}")
        return text

    return AfterValidator(check)


def _words_only(text: str) -> str:
    if re.search(r"\w:\S|//|\bwww\.", text):
        raise ValueError("expected plain words without an address")
    return text


def _known_role(role: str) -> str:
    if role not in ROLES:
        raise ValueError(f"expected a role, one of {', '.join(ROLES)}.{nearest(role, ROLES)}")
    return role


Distribution = Annotated[
    StrictStr, _text(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", "the name of a distribution: ASCII letters, digits, '.', '_' and '-'")
]
"""A name by PEP 508."""
Name = Annotated[StrictStr, _text(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", "a name of lower-case ASCII letters, digits, '.', '_' and '-'")]
"""A name as plugins register it."""
Line = Annotated[StrictStr, _text(r"[A-Za-z0-9 .,:;()'+/%-]+", "one line of plain ASCII words", LONGEST_LINE), AfterValidator(_words_only)]
Paper = Annotated[StrictStr, _text(r"arXiv \d{4}\.\d{4,5}|doi 10\.\d{4,9}/[\w.()-]{1,80}", "'arXiv 2301.08243' or 'doi 10.1000/xyz'", 128)]
Licence = Annotated[StrictStr, _text(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*", "an SPDX licence expression")]
Version = Annotated[
    StrictStr, _text(r"\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?", "a version by PEP 440 in quotes, such as '1.2.0'", 32)
]
Sha256 = Annotated[StrictStr, _text(r"sha256:[0-9a-f]{64}", "'sha256:' and 64 hexadecimal digits", 71)]
Names = Annotated[tuple[Name, ...], Field(min_length=1, max_length=MOST_NAMES)]
Digests = Annotated[tuple[Sha256, ...], Field(min_length=1, max_length=MOST_NAMES)]


class CatalogueEntry(Settings):
    """One known plugin. components: role → names. hashes: version → digests of the wheel files published as that version."""

    name: Name
    distribution: Distribution
    summary: Line
    modality: Name
    components: dict[Annotated[StrictStr, AfterValidator(_known_role)], Names] = Field(default_factory=dict)
    recipes: Annotated[tuple[Name, ...], Field(max_length=MOST_NAMES)] = ()
    paper: Annotated[tuple[Paper, ...], Field(max_length=MOST_NAMES)] = ()
    licence: Licence
    api: Annotated[int, Field(strict=True, ge=1, le=99)]
    status: Literal["experimental", "stable", "deprecated", "withdrawn"]
    hashes: Annotated[dict[Version, Digests], Field(max_length=MOST_NAMES)] = Field(default_factory=dict)

    def claims(self) -> tuple[tuple[str, str], ...]:
        """Everything it brings, as (kind, name); the kind of a component is its role, that of a recipe is "recipe"."""
        parts = [(role, name) for role, names in self.components.items() for name in names]
        return (*parts, *(("recipe", name) for name in self.recipes))


class Catalogue(Settings):
    """The whole file."""

    version: Annotated[int, Field(strict=True, ge=1, le=1)]
    plugins: Annotated[tuple[CatalogueEntry, ...], Field(max_length=MOST_PLUGINS)]

    @model_validator(mode="after")
    def _nobody_stands_in_for_another(self) -> Self:
        _all_different("name", [entry.name for entry in self.plugins])
        _all_different("distribution", [normalise(entry.distribution) for entry in self.plugins])
        _all_different("look of a distribution", [skeleton(entry.distribution) for entry in self.plugins])
        return self


def _all_different(what: str, found: list[str]) -> None:
    seen: set[str] = set()
    for item in found:
        if item in seen:
            raise ValueError(f"two plugins have the {what} '{item}'; expected one entry a plugin")
        seen.add(item)
