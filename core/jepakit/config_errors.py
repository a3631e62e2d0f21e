"""What pydantic found, in sentences: "field: what, expected, nearest name"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from jepakit.errors import nearest


def unknown_option(field: str, owner: str, known: Iterable[str]) -> str:
    """The sentence for a key that nothing takes."""
    names = sorted(known)
    hint = nearest(field.rpartition(".")[2], names)
    return f"{field}: no such option of {owner}." + (hint or (f" It has: {', '.join(names)}." if names else ""))


def describe(error: ValidationError, field: str, raw: Any, owner: str, model: type[BaseModel]) -> list[str]:
    """One sentence for every value that is off. field: where `raw` stands in the config; owner: whose options these are."""
    lines: dict[str, str] = {}
    for item in error.errors(include_url=False):
        where = ".".join([part for part in (field, *map(str, _path(item, raw))) if part])
        # the members of a union fail one by one; the first says enough
        lines.setdefault(where, _sentence(item, where, owner, model))
    return list(lines.values())


def _sentence(item: ErrorDetails, where: str, owner: str, model: type[BaseModel]) -> str:
    if item["type"] == "extra_forbidden":
        return unknown_option(where, owner, model.model_fields if len(item["loc"]) == 1 else ())
    if item["type"] == "missing":
        return f"{where}: missing; {owner} needs it"
    if item["type"] == "value_error":
        return f"{where}: {item['msg'].removeprefix('Value error, ')}"
    expected = item["msg"].removeprefix("Input should be ").replace("String should match", "text of the").partition(", unable to parse")[0]
    expected = f"a number {expected}" if expected.startswith(("greater", "less", "finite")) else expected
    value = item["input"]
    hint = nearest(value, re.findall(r"'([^']*)'", expected)) if isinstance(value, str) else ""
    return f"{where}: expected {expected}, got {value!r}.{hint}" if hint else f"{where}: expected {expected}, got {value!r}"


def _path(item: ErrorDetails, raw: Any) -> Iterable[str | int]:
    """The part of pydantic's location that stands in the config: it also names members of unions, which no user wrote."""
    for part in item["loc"]:
        inside = raw if isinstance(raw, Mapping) else dict(enumerate(raw)) if isinstance(raw, list) else {}
        if part in inside or item["type"] == "missing":
            yield part
        raw = inside.get(part, raw)
