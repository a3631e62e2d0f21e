"""YAML read with suspicion: plain data only, of bounded size, no key twice, no tags, no anchors; for recipes and the catalogue."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

from jepakit.errors import ConfigError

LARGEST = 1 << 20
"""Bytes; a recipe has about 2 000, the catalogue of a thousand plugins about 300 000."""
MOST_NODES, DEEPEST = 50_000, 30
"""Values in all, and levels of nesting: deeper text takes time that grows with the square of its depth."""


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice and reads 1e-3 as a number (YAML 1.1 takes it for text)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key '{key.value}' stands twice in one mapping", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789"))


def parse(text: str, origin: str) -> Any:
    """The value that `text` holds. ConfigError naming `origin` and the line when it is no plain, bounded YAML."""
    if len(text) > LARGEST:
        raise ConfigError(f"{origin} has {len(text):,} characters; at most {LARGEST:,} are read. Is it the right file?")
    try:
        _check_events(text, origin)
        return yaml.load(text, Loader=_Loader)  # a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{origin} is not valid YAML: {_one_line(error)}") from error


def parse_mapping(text: str, origin: str) -> dict[str, Any]:
    """Like `parse`, for a file whose top level must be `key: value` lines."""
    value = parse(text, origin)
    if not isinstance(value, dict):
        raise ConfigError(f"{origin} holds {type(value).__name__} at its top level; expected `key: value` lines")
    return {str(key): item for key, item in value.items()}


def _check_events(text: str, origin: str) -> None:
    """Before anything is built: an alias can make a small file a huge value."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if tag := getattr(event, "tag", None):
            raise ConfigError(f"{origin}: tags ({ascii(tag)[1:-1][:60]}) are not read; write plain values")
        if anchor := getattr(event, "anchor", None):
            raise ConfigError(f"{origin}: anchors and aliases ({ascii(anchor)[1:-1][:60]}) are not read; write each value out")
        if count > MOST_NODES or depth > DEEPEST:
            raise ConfigError(f"{origin} has more than {MOST_NODES:,} values or {DEEPEST} levels; is it the right file?")


def _one_line(error: Exception) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return where + " ".join(str(problem or error).split())
