"""Discovery: which plugins are installed, and which of them are fit for use.

pluggy's own loader drops the second plugin of a name silently, ignores a misspelled hook, and dies with the first import that fails.
Here every entry point goes through policy → import → API version → register → validate and ends as one `PluginStatus`; a broken
plugin never touches another. Whatever a plugin does while it registers, `discover` returns.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import pluggy

from jepakit.errors import PluginError, UsageError, nearest, unknown_name
from jepakit.hookspecs import GROUP, Registration, RunEvents
from jepakit.plugin_host.footprint import TOLERATED, calm_new_torch, changes, footprint, foreign_functions, put_back, surprises_of_new_torch
from jepakit.plugin_host.host import Host, load
from jepakit.plugin_host.status import BUILT_IN, PluginStatus, Spec, State, entry_name, normalise
from jepakit.specs import API, FEATURES, ROLES, CommandSpec, ComponentSpec, DoctorCheckSpec, QualitySet, RecipeSpec

S = TypeVar("S", ComponentSpec, RecipeSpec, CommandSpec, DoctorCheckSpec)
HOOKS = {name for source in (Registration, RunEvents) for name in vars(source) if not name.startswith("_")}
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?$")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
_RESOURCE = re.compile(r"[A-Za-z_][\w.]*:(?!/)(?!.*\.\.)[\w./-]+\.ya?ml$")


@dataclass(frozen=True)
class Candidate:
    """Something that may be a plugin: nothing of it is imported yet."""

    distribution: str
    version: str
    entry_point: str
    load: Callable[[], object]
    module: str = ""

    def status(self, state: State, reason: str = "", remedy: str = "") -> PluginStatus:
        """Its status without anything registered."""
        return PluginStatus(self.distribution, self.version, self.entry_point, state, reason, remedy, module=self.module)


def discover(*, disabled: frozenset[str] = frozenset(), allow: frozenset[str] | None = None, files: Sequence[Path] = ()) -> Host:
    """Look at every installed plugin once.

    Args:
        disabled: distributions to leave out. allow: the only ones to let in; None lets all in. jepakit itself is always in.
        files: one-file plugins, let in whatever the policy.

    Raises:
        UsageError: `disabled` names a distribution that has no plugin. PluginError: one of `files` is not fit for use.
    """
    found = installed()
    _check_disabled(disabled, found)
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(Registration)
    manager.add_hookspecs(RunEvents)
    statuses = [_switched_off(candidate, disabled, allow) or _admit(manager, candidate) for candidate in found]
    if files:  # a single file holds components, so it imports torch; that first import is not the plugin's doing
        importlib.import_module("torch")
    statuses += [_admit(manager, _file_candidate(path)) for path in files]
    settled = _set_conflicts_aside(manager, statuses)
    for path, status in zip(files, settled[len(found) :]):
        if status.state != "ok":
            raise PluginError(f"--plugin {path}: {status.reason}; {status.remedy}")
    return Host(manager, settled)


def installed() -> list[Candidate]:
    """Every entry point of the group, by name of its distribution; nothing is imported."""
    return sorted(_installed(), key=lambda candidate: (normalise(candidate.distribution), candidate.entry_point))


def _installed() -> Iterator[Candidate]:
    seen: set[tuple[str, str]] = set()
    for distribution in importlib.metadata.distributions():
        if f"[{GROUP}]" not in (distribution.read_text("entry_points.txt") or ""):
            continue
        name, version = distribution.name, distribution.version
        for point in distribution.entry_points.select(group=GROUP):
            # the same distribution can lie on sys.path twice; Python imports the first
            if (key := (normalise(name), point.name)) not in seen:
                seen.add(key)
                yield Candidate(name, version, point.name, point.load, point.module)


def _check_disabled(disabled: Iterable[str], installed: Sequence[Candidate]) -> None:
    """A misspelled name would leave on what the user wants off."""
    known = {normalise(candidate.distribution) for candidate in installed} - {BUILT_IN}
    for name in sorted(disabled):
        if normalise(name) not in known:
            raise UsageError(f"--no-plugins: {unknown_name('plugin', name, known)}")


def _switched_off(candidate: Candidate, disabled: frozenset[str], allow: frozenset[str] | None) -> PluginStatus | None:
    name = normalise(candidate.distribution)
    if name == BUILT_IN:
        return None
    if name in map(normalise, disabled):
        return candidate.status("disabled", "switched off by --no-plugins", "leave it out of --no-plugins")
    if allow is not None and name not in map(normalise, allow):
        return candidate.status("disabled", "not on the list of allowed plugins", f"add {name} to JEPAKIT_PLUGINS, or drop --no-plugins")
    return None


def _file_candidate(path: Path) -> Candidate:
    return Candidate(path.stem, "file", str(path), lambda: _import_file(path.resolve()), path.stem)


def _import_file(path: Path) -> ModuleType:
    """The module of a one-file plugin, importable from now on by the name of the file: its targets are "stem:attribute"."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    taken = sys.modules.get(path.stem) or importlib.util.find_spec(path.stem)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if taken is not None and getattr(taken, "__file__", getattr(taken, "origin", None)) != str(path):
        raise ImportError(f"'{path.stem}' is the name of another module; rename the file")
    if spec is None or spec.loader is None:
        raise ImportError("expected a Python file, name.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _admit(manager: pluggy.PluginManager, candidate: Candidate) -> PluginStatus:
    """Import, register, validate one plugin. Whatever goes wrong, nothing of it stays registered, and what it changed is put back."""
    if normalise(candidate.distribution) == BUILT_IN:
        return _import_and_register(manager, candidate)
    before, had_torch = footprint(), "torch" in sys.modules
    with contextlib.redirect_stdout(sys.stderr):  # stdout may be JSON that somebody parses
        status = _import_and_register(manager, candidate)
    changed = changes(before, footprint())
    put_back(before, changed)
    odd, replaced = (surprises_of_new_torch(), foreign_functions()) if not had_torch and "torch" in sys.modules else ([], [])
    if odd:
        calm_new_torch()
    if harm := [*(name for name in changed if name not in TOLERATED), *odd, *replaced]:
        _unregister(manager, candidate)
        remedy = f"uninstall {candidate.distribution}, or run with --no-plugins={candidate.distribution}"
        invalid = candidate.status("invalid", f"importing it changes {', '.join(harm)} for everybody in this process", remedy)
        return replace(invalid, poison=", ".join(replaced))
    return status


def _import_and_register(manager: pluggy.PluginManager, candidate: Candidate) -> PluginStatus:
    remedy = f"update or uninstall {candidate.distribution}"
    try:
        plugin = candidate.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may do anything on import, ending the interpreter included
        return candidate.status("import_error", f"importing it fails: {_said(error)}", _import_remedy(error, candidate))
    api = getattr(plugin, "API", None)
    if type(api) is not int or api != API:
        has = "names no API version" if api is None else f"is made for API {api!r}"
        return candidate.status("incompatible", f"it {has}, this jepakit has API {API}", f"{remedy}; its module must say `API = {API}`")
    if lacking := _lacking(getattr(plugin, "FEATURES", ())):
        return candidate.status("incompatible", f"it relies on {lacking}, which this jepakit does not have", f"update jepakit, or {remedy}")
    try:
        manager.register(plugin, name=entry_name(candidate.distribution, candidate.entry_point))
        return _registered(manager, plugin, candidate)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # hooks are foreign code as well
        _unregister(manager, candidate)
        return candidate.status("invalid", _said(error), remedy)


def _lacking(features: object) -> str:
    """Features a plugin relies on that the core lacks, in words; "" for none."""
    asked = (
        [features]
        if isinstance(features, str)
        else list(features)
        if isinstance(features, tuple | list | set | frozenset)
        else [repr(features)]
    )
    return ", ".join(f"the feature '{name}'{nearest(str(name), FEATURES)}" for name in asked if name not in FEATURES)


def _import_remedy(error: BaseException, candidate: Candidate) -> str:
    """What brings a package that is missing; else nothing but another version helps."""
    package = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if package and package != candidate.module.partition(".")[0]:
        return f"pip install {package}, or update or uninstall {candidate.distribution}"
    return f"update or uninstall {candidate.distribution}"


def _unregister(manager: pluggy.PluginManager, candidate: Candidate) -> None:
    name = entry_name(candidate.distribution, candidate.entry_point)
    if manager.has_plugin(name):
        manager.unregister(name=name)


def _registered(manager: pluggy.PluginManager, plugin: object, candidate: Candidate) -> PluginStatus:
    hooks = sorted(caller.name for caller in manager.get_hookcallers(plugin) or ())
    if not hooks:
        raise PluginError("it has no function marked with @hookimpl")
    for name in hooks:
        if name not in HOOKS:
            raise PluginError(_unknown_hook(name))
    for caller in manager.get_hookcallers(plugin) or ():
        for listener in caller.get_hookimpls():
            if listener.plugin is plugin and (listener.wrapper or listener.hookwrapper):
                raise PluginError(f"{caller.name} is a hook wrapper; a plugin may listen, not stand between jepakit and other plugins")
    status = replace(
        candidate.status("ok"),
        components=_collect(manager, plugin, "register_components", ComponentSpec),
        recipes=_collect(manager, plugin, "register_recipes", RecipeSpec),
        commands=_collect(manager, plugin, "register_commands", CommandSpec),
        checks=_collect(manager, plugin, "register_doctor_checks", DoctorCheckSpec),
    )
    _validate(status)
    return status


def _unknown_hook(name: str) -> str:
    role = name.removeprefix("register_").removesuffix("s").replace("modalitie", "modality")
    if role in ROLES:
        return f"no hook named '{name}': components of every role are returned by register_components, as ComponentSpec('{role}', ...)"
    return unknown_name("hook", name, HOOKS)


def _collect(manager: pluggy.PluginManager, plugin: object, hook: str, kind: type[S]) -> tuple[S, ...]:
    """What the plugin's own implementation of one hook returns."""
    found: list[S] = []
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        if implementation.plugin is plugin:
            returned = implementation.function()
            if not isinstance(returned, list | tuple):
                raise PluginError(f"{hook} must return a list of {kind.__name__}s, it returned {type(returned).__name__}")
            found.extend(returned)
    for spec in found:
        if not isinstance(spec, kind):
            raise PluginError(f"{hook} must return {kind.__name__}s, it returned {type(spec).__name__}")
    return tuple(found)


def _validate(status: PluginStatus) -> None:
    seen: set[tuple[str, str]] = set()
    for kind, spec in status.claims():
        _validate_spec(kind, spec)
        if (kind, spec.name) in seen:
            raise PluginError(f"it registers {kind} '{spec.name}' twice")
        seen.add((kind, spec.name))


def _validate_spec(kind: str, spec: Spec) -> None:
    if isinstance(spec, ComponentSpec) and kind not in ROLES:
        raise PluginError(f"component '{spec.name}': no role named '{kind}'.{nearest(kind, ROLES)}")
    if not _NAME.match(spec.name):
        raise PluginError(f"{kind} '{spec.name}': a name has lower-case letters, digits, '.', '_' and '-' only")
    if isinstance(spec, RecipeSpec):
        if not _RESOURCE.match(spec.resource):
            raise PluginError(f"recipe '{spec.name}': resource '{spec.resource}' must read package:path/inside/it.yaml")
        if not isinstance(spec.quality, tuple) or not all(isinstance(one, QualitySet) for one in spec.quality):
            raise PluginError(f"recipe '{spec.name}': quality must be a tuple of QualitySets, it is {spec.quality!r}")
        return
    targets = [spec.target] + ([spec.config] if isinstance(spec, ComponentSpec) and spec.config else [])
    for target in targets:
        if not _TARGET.match(target):
            raise PluginError(f"{kind} '{spec.name}': '{target}' must read package.module:attribute")


def _set_conflicts_aside(manager: pluggy.PluginManager, statuses: Sequence[PluginStatus]) -> list[PluginStatus]:
    """Who takes a name of jepakit's own, or one of its own distribution's, is out. Outsiders may share a name: asking for it settles it."""
    ranked = sorted(statuses, key=lambda status: not status.built_in)
    taken: dict[tuple[str, str], PluginStatus] = {}
    out: dict[int, PluginStatus] = {}
    for status in ranked:
        clash = _first_clash(status, taken) if status.state == "ok" else None
        if clash is not None:
            out[id(status)] = clash
            manager.unregister(name=entry_name(status.distribution, status.entry_point))
        elif status.state == "ok":
            for kind, spec in status.claims():
                taken.setdefault((kind, spec.name), status)
    return [out.get(id(status), status) for status in statuses]


def _first_clash(status: PluginStatus, taken: dict[tuple[str, str], PluginStatus]) -> PluginStatus | None:
    for kind, spec in status.claims():
        first = taken.get((kind, spec.name))
        if first is not None and (first.built_in or normalise(first.distribution) == normalise(status.distribution)):
            reason = f"its {kind} '{spec.name}' is a name of {first.distribution} {first.version} already"
            remedy = f"ask the authors of {status.distribution} for another name, or uninstall it"
            return PluginStatus(status.distribution, status.version, status.entry_point, "conflict", reason, remedy)
    return None


def _said(error: BaseException) -> str:
    """An exception in one line."""
    text = " ".join(str(error).split())
    if isinstance(error, PluginError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


__all__ = ["Candidate", "Host", "PluginStatus", "discover", "load"]
