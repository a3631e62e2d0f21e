"""`--set key.sub=value` on a config that is still plain data. Values are YAML; list entries go by number: `objective.0.weight=2`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from jepakit.errors import ConfigError
from jepakit.strict_yaml import parse


def apply_overrides(raw: Mapping[str, Any], overrides: Iterable[str]) -> tuple[dict[str, Any], list[ConfigError]]:
    """A changed copy of `raw`, and one error for every override that could not be applied."""
    changed, problems = deepcopy(dict(raw)), []
    for text in overrides:
        try:
            _apply(changed, text)
        except ConfigError as error:
            problems.append(error)
    return changed, problems


def _apply(raw: dict[str, Any], text: str) -> None:
    path, sign, value = text.partition("=")
    keys = path.strip().split(".")
    if not sign or not all(keys):
        raise ConfigError(f"--set {text}: expected key=value, e.g. masker.targets=4")
    place: Any = raw
    for depth, key in enumerate(keys[:-1]):
        place = _step_into(place, key, ".".join(keys[: depth + 1]))
    _put(place, keys[-1], parse(value, f"--set {path}"), ".".join(keys))


def _step_into(place: Any, key: str, path: str) -> Any:
    if isinstance(place, list):
        place = place[_index(place, key, path)]
    else:
        if place.get(key) is None:
            place[key] = {}
        if isinstance(place[key], str):  # `masker: block` is short for `masker: {name: block}`
            place[key] = {"name": place[key]}
        place = place[key]
    if not isinstance(place, dict | list):
        raise ConfigError(f"--set {path}: this is the value {place!r}, it has no parts to set")
    return place


def _put(place: Any, key: str, value: Any, path: str) -> None:
    if isinstance(place, list):
        place[_index(place, key, path)] = value
    else:
        place[key] = value


def _index(place: list[Any], key: str, path: str) -> int:
    if not key.isdecimal() or int(key) >= len(place):
        raise ConfigError(f"--set {path}: expected the number of an entry, 0 to {len(place) - 1}, got '{key}'")
    return int(key)
