"""Looking at one plugin in a process of its own, where nothing that it does can harm anybody: `python -m jepakit.plugin_host.probe`.

It imports the light module and then every module that the plugin's components name, and writes what each import did to the process, as
one JSON object, to a file. `cli/plugins_doctor` starts it with a deadline and reads the file; a probe that ends early leaves what it
knew by then.
"""

from __future__ import annotations

import faulthandler
import importlib.metadata
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from jepakit.errors import PluginError
from jepakit.hookspecs import GROUP
from jepakit.plugin_host.footprint import changes, footprint, foreign_functions, surprises_of_new_torch
from jepakit.plugin_host.loader import discover, load
from jepakit.plugin_host.status import PluginStatus, normalise

WATCHED = {
    "os.fork": "forks", "os.forkpty": "forks", "subprocess.Popen": "starts a program", "os.system": "starts a program",
    "os.posix_spawn": "starts a program", "os.exec": "becomes another program", "socket.connect": "connects to the network",
    "socket.getaddrinfo": "connects to the network",
}  # fmt: skip
"""Audit events of Python (PEP 578) that no import has a reason for → what it does."""
HEAVY = ("torch",)


class Observer:
    """What happens while something is imported."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.acts: list[str] = []
        self.listening = False
        sys.addaudithook(self._hear)

    def run(self, what: str, action: Any) -> dict[str, Any]:
        """Calls `action` and tells: seconds, error, changes of state, acts, threads left, heavy modules loaded."""
        before, had = footprint(), {name for name in HEAVY if name in sys.modules}
        threads, self.acts, error, missing = set(threading.enumerate()), [], "", ""
        start, self.listening = time.perf_counter(), True
        try:
            action()
        except BaseException as raised:  # whatever it is, it is the finding
            error = f"{type(raised).__name__}: {' '.join(str(raised).split())}"
            missing = (raised.name or "").partition(".")[0] if isinstance(raised, ModuleNotFoundError) else ""
            if isinstance(raised, PluginError) and isinstance(raised.__cause__, ModuleNotFoundError):
                missing = (raised.__cause__.name or "").partition(".")[0]
        self.listening, seconds = False, time.perf_counter() - start
        if os.getpid() != self.pid:
            os._exit(0)  # a child that the import forked off must not write a report of its own
        loaded = [name for name in HEAVY if name in sys.modules and name not in had]
        changed = changes(before, footprint()) + ([*surprises_of_new_torch(), *foreign_functions()] if "torch" in loaded else [])
        return {
            "what": what,
            "seconds": seconds,
            "error": error,
            "missing": missing,
            "changed": changed,
            "acts": sorted(set(self.acts)),
            "threads": [thread.name for thread in threading.enumerate() if thread not in threads],
            "heavy": loaded,
        }

    def _hear(self, event: str, arguments: object) -> None:
        if self.listening and event in WATCHED:
            self.acts.append(WATCHED[event])


def probe(distribution: str, entry_point: str, report: Path) -> None:
    """Everything about one entry point, written anew to `report` after each import."""
    observer = Observer()
    (point,) = [
        point
        for point in importlib.metadata.distribution(distribution).entry_points.select(group=GROUP)
        if point.name == entry_point
    ]  # fmt: skip
    import_module("jepakit.sdk")
    done = [observer.run(point.module, point.load)]
    _write(report, done, "")
    if done[0]["error"] or done[0]["changed"]:
        return
    status = next(
        one for one in discover().plugins if (normalise(one.distribution), one.entry_point) == (normalise(distribution), entry_point)
    )
    if status.state != "ok":
        _write(report, done, f"{status.reason}; {status.remedy}")
        return
    import_module("torch")
    import_module("jepakit.contracts")
    for target in _targets(status):
        done.append(observer.run(target, lambda target=target: load(target)))
        _write(report, done, "")
    _write(report, done, "; ".join(_wrong_kinds(status)))


def _targets(status: PluginStatus) -> Iterator[str]:
    """Every import string of a plugin, once."""
    named: Iterable[str] = [target for spec in status.components for target in (spec.target, spec.config) if target]
    more = [spec.target for kind in (status.commands, status.checks) for spec in kind]
    yield from dict.fromkeys([*named, *more])


def _wrong_kinds(status: PluginStatus) -> Iterator[str]:
    """Options that are not what a recipe is checked with; targets that can't be called."""
    from jepakit.settings import Settings

    for spec in status.components:
        try:
            target, model = load(spec.target), load(spec.config) if spec.config else Settings
        except Exception:  # reported with its import
            continue
        if not callable(target):
            yield f"{spec.role} '{spec.name}': {spec.target} is a {type(target).__name__}, expected a class or a function"
        if not (isinstance(model, type) and issubclass(model, Settings)):
            yield f"{spec.role} '{spec.name}': {spec.config} is no jepakit.sdk.Settings, which options are checked with"


def _write(report: Path, done: list[dict[str, Any]], wrong: str) -> None:
    report.write_text(json.dumps({"imports": done, "wrong": wrong, "finished": False}), encoding="utf-8")


def main() -> None:
    """`probe DISTRIBUTION ENTRY_POINT REPORT`; says on stderr where it stands when SIGUSR1 asks."""
    distribution, entry_point, report = sys.argv[1:]
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)  # sent by whoever finds that it hangs
    probe(distribution, entry_point, Path(report))
    found = json.loads(Path(report).read_text(encoding="utf-8"))
    Path(report).write_text(json.dumps({**found, "finished": True}), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # threads that an import left behind must not keep this process alive


if __name__ == "__main__":
    main()
