"""Installing plugins so that what was looked at is what gets installed.

1. Names are checked before anything is fetched: rules of PEP 508, no near miss of a known name, not withdrawn.
2. pip says what it would install, with everything already here held at its version. Nothing is run: wheels only.
3. Those files are fetched into a folder and each is inspected (`wheel`).
4. pip installs exactly these files by their digests, asks no index and adds nothing. A file changed in between is refused by pip.
"""

from __future__ import annotations

import importlib.metadata
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jepakit.errors import PluginError, UsageError
from jepakit.hookspecs import GROUP
from jepakit.plugin_host.names import Pinned, passes_for, pinned
from jepakit.plugin_host.pip import Source, download_command, install_command, resolve_command, run, to_install
from jepakit.plugin_host.status import BUILT_IN, normalise
from jepakit.plugin_host.wheel import Wheel, inspect

if TYPE_CHECKING:
    from jepakit.plugin_host.catalogue_schema import CatalogueEntry


@dataclass(frozen=True)
class Demands:
    """What is asked for beside names. contents: distribution → digest of what it must consist of, from a frozen file.

    again: install even what is here at that version. require_hashes: nothing whose digest was not known before.
    """

    source: Source = field(default_factory=Source)
    require_hashes: bool = False
    contents: Mapping[str, str] = field(default_factory=dict)
    again: bool = False


@dataclass(frozen=True)
class Step:
    """One file to install. asked: by the user, otherwise a plugin needs it. here: the version installed now. known: by digest."""

    wheel: Wheel
    asked: bool
    here: str
    known: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        wheel = self.wheel
        return {
            "distribution": wheel.distribution,
            "version": wheel.version,
            "file": wheel.path.name,
            "sha256": wheel.sha256,
            "content": wheel.content,
            "asked": self.asked,
            "replaces": self.here,
            "hash_known": self.known,
        }


def wanted_names(typed: Sequence[str], entries: Sequence[CatalogueEntry]) -> list[Pinned | Path]:
    """What the user typed: names, or paths of wheels that exist. UsageError for anything else and for a name that passes for another."""
    wanted: list[Pinned | Path] = []
    for text in typed:
        if text.endswith(".whl"):
            if not Path(text).is_file():
                raise UsageError(f"there is no file {ascii(text)[1:-1][:200]}; expected the path of a wheel, or a name")
            wanted.append(Path(text).resolve())
            continue
        item = pinned(text)
        check_name(item.distribution, entries)
        wanted.append(item)
    return wanted


def check_name(name: str, entries: Sequence[CatalogueEntry]) -> None:
    """UsageError for jepakit itself, a withdrawn plugin, and a name that could be taken for a known one."""
    if normalise(name) == BUILT_IN:
        raise UsageError("jepakit itself is no plugin; update it with pip: pip install --upgrade jepakit")
    for entry in entries:
        if normalise(entry.distribution) == normalise(name) and entry.status == "withdrawn":
            raise UsageError(f"{entry.distribution} was withdrawn and is not installed; `jepakit plugins search` shows what there is")
    known = {BUILT_IN, *(entry.distribution for entry in entries), *installed_plugins()}
    if other := passes_for(name, known):
        raise UsageError(f"{name} is no known plugin and could be taken for {other}; did you mean {other}? If not, install it with pip")


def installed_plugins() -> dict[str, importlib.metadata.Distribution]:
    """Distributions with an entry point of the group `jepakit`, jepakit itself apart; nothing is imported."""
    found = importlib.metadata.distributions()
    plugins = {normalise(one.name): one for one in found if f"[{GROUP}]" in (one.read_text("entry_points.txt") or "")}
    return {name: one for name, one in sorted(plugins.items()) if name != BUILT_IN}


def prepare(wanted: Sequence[Pinned | Path], folder: Path, entries: Sequence[CatalogueEntry], demands: Demands) -> list[Step]:
    """Fetch into the empty `folder` all that has to be installed, and inspect it. Empty when everything is here already; a wheel given
    by its path is installed in any case.

    Raises:
        UsageError: a name passes for another. PluginError: pip refuses, or a file is not fit to be installed.
    """
    local = {wheel.distribution: wheel for item in wanted if isinstance(item, Path) for wheel in [_take(item, folder)]}
    for name in local:
        check_name(name, entries)
    asked = {*local, *(item.distribution for item in wanted if isinstance(item, Pinned))}
    constraints = _constraints(folder, asked)
    targets = [_in(folder, item) if isinstance(item, Path) else item for item in wanted]
    report = to_install(run(resolve_command(targets, demands.source, constraints), folder))
    needed = [Pinned(normalise(item["metadata"]["name"]), item["metadata"]["version"]) for item in report]
    if demands.again:
        present = {pin.distribution for pin in needed}
        needed += [item for item in wanted if isinstance(item, Pinned) and item.distribution not in present]
    fetched = [pin for pin in needed if pin.distribution not in local]
    if fetched:
        run(download_command(fetched, demands.source, folder), folder)
    wheels = {wheel.distribution: wheel for path in sorted(folder.glob("*.whl")) for wheel in [inspect(path, others=True)]}
    _check_promised(wheels, fetched, report)
    return [admit(wheel, wheel.distribution in asked, entries, demands) for wheel in wheels.values()]


def admit(wheel: Wheel, asked: bool, entries: Sequence[CatalogueEntry], demands: Demands) -> Step:
    """The step that installs an inspected wheel. PluginError when it is no plugin, or not the file that somebody vouched for."""
    if asked and not wheel.entry_points:
        raise PluginError(f"{wheel.path.name} is no plugin: it has no entry point of the group '{GROUP}'; if it is wanted, use pip")
    expected = demands.contents.get(wheel.distribution)
    if expected and wheel.content != expected:
        raise PluginError(f"{wheel.path.name} is not what was frozen: its content is {wheel.content}, expected {expected}; not installed")
    published = _published(wheel, entries)
    if published and wheel.sha256 not in published:
        raise PluginError(f"{wheel.path.name} is not the file that the catalogue knows: it has {wheel.sha256}; it is not installed")
    known = bool(expected or published)
    if demands.require_hashes and not known:
        raise PluginError(
            f"--require-hashes: no digest of {wheel.distribution} {wheel.version} is known; leave the option out, or install it first"
        )
    return Step(wheel, asked, _version_here(wheel.distribution), known)


def apply(steps: Sequence[Step], folder: Path) -> None:
    """Install the prepared files. PluginError with what pip said."""
    run(write_lock(steps, folder), folder)


def write_lock(steps: Sequence[Step], folder: Path) -> list[str]:
    """Name the files and their digests in `folder`/lock.txt; the command that installs them, to be run in `folder`."""
    lock = folder / "lock.txt"
    lines = [f"./{step.wheel.path.name} --hash={step.wheel.sha256}\n" for step in steps]
    lock.write_text("".join(lines), encoding="utf-8")
    return install_command(lock)


def _in(folder: Path, path: Path) -> Path:
    return folder / path.name


def _take(path: Path, folder: Path) -> Wheel:
    """Inspect a copy of our own, which nobody changes while we look at it."""
    if not re.fullmatch(r"[A-Za-z0-9_.+!-]+\.whl", path.name, re.ASCII):
        raise UsageError(f"{ascii(path.name)[1:-1][:200]} is not the name of a wheel; expected NAME-VERSION-PYTHON-ABI-PLATFORM.whl")
    shutil.copyfile(path, _in(folder, path))
    return inspect(_in(folder, path))


def _constraints(folder: Path, asked: set[str]) -> Path:
    """Everything that is installed stays at its version; only what was asked for may change."""
    here = {normalise(one.name): one.version for one in importlib.metadata.distributions() if one.name}
    path = folder / "constraints.txt"
    path.write_text("".join(f"{name}=={version}\n" for name, version in sorted(here.items()) if name not in asked), encoding="utf-8")
    return path


def _check_promised(wheels: Mapping[str, Wheel], fetched: Sequence[Pinned], report: Sequence[Mapping[str, Any]]) -> None:
    """What was fetched is what pip said it would install."""
    for pin in fetched:
        wheel = wheels.get(pin.distribution)
        if wheel is None or (pin.version and wheel.version != pin.version):
            raise PluginError(f"pip was asked for {pin} and brought {wheel and wheel.path.name}; it is not installed")
    for item in report:
        digest = item.get("download_info", {}).get("archive_info", {}).get("hashes", {}).get("sha256")
        wheel = wheels[normalise(item["metadata"]["name"])]
        if digest and wheel.sha256 != f"sha256:{digest}":
            raise PluginError(
                f"{wheel.path.name} is not the file that pip promised ({wheel.sha256}, not sha256:{digest}); it is not installed"
            )


def _published(wheel: Wheel, entries: Sequence[CatalogueEntry]) -> tuple[str, ...]:
    """Digests that the catalogue knows for the version."""
    entry = next((entry for entry in entries if normalise(entry.distribution) == wheel.distribution), None)
    return entry.hashes.get(wheel.version, ()) if entry else ()


def _version_here(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
