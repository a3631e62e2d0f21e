"""Which plugins are installed, written down so that the same ones can be brought back: name, version, and what each consists of.

The digest is over the installed files, not over the wheel, because pip forgets the wheel; it is the same wherever the plugin came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jepakit.errors import ConfigError
from jepakit.plugin_host.content import content_now, is_editable
from jepakit.plugin_host.install import installed_plugins
from jepakit.plugin_host.names import Pinned, pinned
from jepakit.plugin_host.status import normalise
from jepakit.strict_yaml import parse_mapping

FIELDS = {"distribution", "version", "content"}
HEADER = "# Plugins as installed; `jepakit plugins sync FILE` brings them back.\n"


@dataclass(frozen=True)
class Frozen:
    """One plugin. content: see `content.content_digest`; empty for one that is installed from a folder and changes with it."""

    distribution: str
    version: str
    content: str

    @property
    def pin(self) -> Pinned:
        """Name and exact version."""
        return pinned(f"{self.distribution}=={self.version}")


def freeze() -> list[Frozen]:
    """All installed plugins, by name. Reads metadata; imports none of them."""
    return [Frozen(name, one.version, "" if is_editable(one) else content_now(one)) for name, one in installed_plugins().items()]


def to_text(frozen: Sequence[Frozen]) -> str:
    """The file that `read_frozen` reads. A plugin that is installed from a folder stands in it as a comment."""
    lines = [HEADER, "version: 1\n", "plugins:\n" if any(one.content for one in frozen) else "plugins: []\n"]
    for one in frozen:
        if one.content:
            lines.append(f"  - {{distribution: {one.distribution}, version: '{one.version}', content: '{one.content}'}}\n")
        else:
            lines.append(f"  # {one.distribution} {one.version} is installed from a folder (editable); sync can't bring it back\n")
    return "".join(lines)


def read_frozen(text: str, origin: str) -> list[Frozen]:
    """What `to_text` wrote. ConfigError naming the entry that is off."""
    raw = parse_mapping(text, origin)
    if raw.get("version") != 1 or set(raw) != {"version", "plugins"} or not isinstance(raw["plugins"], list):
        raise ConfigError(f"{origin}: expected `version: 1` and a list `plugins`, as `jepakit plugins freeze` writes them")
    return [_entry(item, f"{origin}: plugins.{number}") for number, item in enumerate(raw["plugins"])]


def differing(frozen: Sequence[Frozen]) -> list[Frozen]:
    """Those that are not installed, or not as they were frozen."""
    here = {one.distribution: one for one in freeze()}
    return [one for one in frozen if here.get(one.distribution) != one]


def to_json(frozen: Sequence[Frozen]) -> list[dict[str, Any]]:
    """Plain values for `--json`."""
    return [asdict(one) | {"editable": not one.content} for one in frozen]


def _entry(item: Any, where: str) -> Frozen:
    if not isinstance(item, dict) or set(item) != FIELDS or not all(isinstance(value, str) for value in item.values()):
        raise ConfigError(f"{where}: expected the three texts distribution, version and content")
    pin = pinned(f"{item['distribution']}=={item['version']}")
    digest = item["content"].removeprefix("sha256:")
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise ConfigError(f"{where}.content: expected 'sha256:' and 64 hexadecimal digits")
    return Frozen(normalise(pin.distribution), pin.version, f"sha256:{digest}")
