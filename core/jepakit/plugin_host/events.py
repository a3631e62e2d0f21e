"""Telling plugins how a run goes, so that a plugin that can't bear to hear it never costs the run."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pluggy
from pluggy import HookImpl

from jepakit.plugin_host.status import PluginStatus, entry_name

Warn = Callable[[str], None]


class Events:
    """Calls the run events of every plugin. One that raises is reported once and not called again for that event."""

    def __init__(self, manager: pluggy.PluginManager, plugins: Sequence[PluginStatus]) -> None:
        self._manager = manager
        self._plugins = {entry_name(status.distribution, status.entry_point): status for status in plugins}
        self._silenced: set[tuple[str, str]] = set()

    def tell(self, event: str, facts: Mapping[str, Any], warn: Warn) -> None:
        """Every plugin that listens to `event` of `jepakit.hookspecs.RunEvents` hears the facts it asks for, in pluggy's order.

        What a plugin prints meanwhile goes to stderr: stdout may be JSON. warn: gets one sentence a plugin that fails.
        """
        for listener in reversed(getattr(self._manager.hook, event).get_hookimpls()):
            if (listener.plugin_name, event) not in self._silenced:
                self._tell_one(listener, event, facts, warn)

    def _tell_one(self, listener: HookImpl, event: str, facts: Mapping[str, Any], warn: Warn) -> None:
        wanted = [dict(value) if isinstance(value, Mapping) else value for value in (facts[name] for name in listener.argnames)]
        try:
            with contextlib.redirect_stdout(sys.stderr):
                listener.function(*wanted)
        except (Exception, SystemExit) as error:  # foreign code; the run goes on whatever it does
            self._silenced.add((listener.plugin_name, event))
            status = self._plugins[listener.plugin_name]
            text = " ".join(str(error).split())
            warn(
                f"{status.distribution} {status.version} failed in {event}: {type(error).__name__}{f': {text}' if text else ''}; "
                "the run goes on, and it will not be told again. Tell its authors"
            )
