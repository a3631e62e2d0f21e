"""The catalogue of known plugins, registry.yaml: which distribution would bring that? Data; nothing in it is imported or run.

```yaml
version: 1
plugins:
  - distribution: jepakit-example
    summary: one line
    provides: {tokenizer: [example-patch], recipe: [example]}
```
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jepakit
from jepakit.errors import ConfigError
from jepakit.strict_yaml import parse_mapping

_DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")


@dataclass(frozen=True)
class CatalogueEntry:
    """One known plugin. provides: role (or "recipe") → names."""

    distribution: str
    summary: str = ""
    provides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_catalogue(path: Path | None = None) -> tuple[CatalogueEntry, ...]:
    """All entries of registry.yaml; none when the file is not there. ConfigError naming the entry that is off."""
    path = path or _shipped()
    if path is None or not path.is_file():
        return ()
    entries = parse_mapping(path.read_text(encoding="utf-8"), path.name).get("plugins") or []
    if not isinstance(entries, list):
        raise ConfigError(f"{path.name}: plugins: expected a list, found {type(entries).__name__}")
    return tuple(_entry(number, value, path.name) for number, value in enumerate(entries))


def install_hint(kind: str, name: str, entries: tuple[CatalogueEntry, ...] | None = None) -> str:
    """` jepakit-x provides it: pip install jepakit-x`, or an empty string when no known plugin has that `kind` and `name`.

    A name in full, "distribution/name", is found when the catalogue knows the distribution and what it provides.
    """
    owner, _, short = name.rpartition("/")
    for entry in read_catalogue() if entries is None else entries:
        if short in entry.provides.get(kind, ()) and owner in ("", entry.distribution):
            return f" {entry.distribution} provides it: pip install {entry.distribution}"
    return ""


def _shipped() -> Path | None:
    """In a wheel the file lies inside the package; in a checkout beside `core/`."""
    package = Path(jepakit.__file__).parent
    return next((path for path in (package / "registry.yaml", package.parents[1] / "registry.yaml") if path.is_file()), None)


def _entry(number: int, value: Any, origin: str) -> CatalogueEntry:
    where = f"{origin}: plugins.{number}"
    if not isinstance(value, dict) or not isinstance(name := value.get("distribution"), str) or not _DISTRIBUTION.match(name):
        raise ConfigError(f"{where}: expected a mapping with `distribution`, the name of a Python distribution")
    provides = value.get("provides") or {}
    if not isinstance(provides, dict) or not all(isinstance(names, list) for names in provides.values()):
        raise ConfigError(f"{where}.provides: expected `role: [name, ...]`")
    return CatalogueEntry(name, str(value.get("summary", "")), {str(role): tuple(map(str, names)) for role, names in provides.items()})
