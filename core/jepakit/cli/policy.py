"""Which plugins may be loaded. Read from the command line and the environment before anything is discovered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jepakit.plugin_host.loader import Host, discover

SWITCH, VARIABLE = "--no-plugins", "JEPAKIT_PLUGINS"


@dataclass(frozen=True)
class Policy:
    """disabled: distributions to leave out. allow: the only ones to let in, None for all."""

    disabled: frozenset[str] = frozenset()
    allow: frozenset[str] | None = None

    def host(self, files: Sequence[Path] = ()) -> Host:
        """The plugins that this policy lets in, and one-file plugins given by name."""
        return discover(disabled=self.disabled, allow=self.allow, files=files)

    def arguments(self) -> list[str]:
        """The switches that make this policy again in another process, which inherits the environment."""
        none = [SWITCH] if self.allow == frozenset() else []
        return none + ([f"{SWITCH}={','.join(sorted(self.disabled))}"] if self.disabled else [])


def take_policy(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[Policy, list[str]]:
    """The policy, and the arguments without the switches that made it, wherever on the line they stood.

    `--no-plugins` lets none in but jepakit's own, `--no-plugins=a,b` leaves a and b out, JEPAKIT_PLUGINS=a,b lets only a and b in.
    """
    allow = _names(environment[VARIABLE]) if VARIABLE in environment else None
    disabled: frozenset[str] = frozenset()
    end = arguments.index("--") if "--" in arguments else len(arguments)
    rest = []
    for argument in arguments[:end]:
        if argument == SWITCH:
            allow = frozenset()
        elif argument.startswith(f"{SWITCH}="):
            disabled |= _names(argument.partition("=")[2])
        else:
            rest.append(argument)
    return Policy(disabled, allow), [*rest, *arguments[end:]]


def _names(text: str) -> frozenset[str]:
    return frozenset(name for part in text.split(",") if (name := part.strip()))
