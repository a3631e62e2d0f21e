"""The host: every lookup of a component or a recipe by name, and the hooks that plugins hear a run through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol

import pluggy

from jepakit.errors import ConfigError, PluginError, nearest, unknown_name
from jepakit.plugin_host.catalogue import near_hint, provider
from jepakit.plugin_host.events import Events, Warn
from jepakit.plugin_host.provenance import provenance
from jepakit.plugin_host.status import PluginStatus, Spec, normalise
from jepakit.specs import CommandSpec, ComponentSpec, DoctorCheckSpec, RecipeSpec


class NamesComponents(Protocol):
    """What `Host.used` needs of a config: all (role, name) in it."""

    def named(self) -> Iterable[tuple[str, str]]: ...


class Host:
    """All plugins as discovered. A name is short ("block") or full ("jepakit-x/block"); short ones must be unique."""

    def __init__(self, manager: pluggy.PluginManager, plugins: Sequence[PluginStatus]) -> None:
        self._events = Events(manager, plugins)
        self.plugins = tuple(plugins)
        self._claims: dict[tuple[str, str], list[tuple[Spec, PluginStatus]]] = {}
        for status in self.plugins:
            if status.state == "ok":
                for kind, spec in status.claims():
                    self._claims.setdefault((kind, spec.name), []).append((spec, status))

    def tell(self, event: str, facts: Mapping[str, Any], warn: Warn) -> None:
        """A run event of `jepakit.hookspecs.RunEvents`, to every plugin that listens; `warn` gets a sentence for one that fails."""
        self._events.tell(event, facts, warn)

    def check_clean(self) -> None:
        """PluginError when a plugin has changed this process in a way that would change every run in it and can't be put back."""
        for status in self.plugins:
            if status.poison:
                raise PluginError(f"{status.distribution} {status.version} replaced {status.poison} when it was imported; {status.remedy}")

    def component(self, role: str, name: str) -> tuple[ComponentSpec, PluginStatus]:
        """The component of that name and the plugin that brings it.

        Raises:
            ConfigError: nobody knows the name. PluginError: two plugins have it, or a plugin has it that is not installed.
        """
        spec, status = self._find(role, name)
        assert isinstance(spec, ComponentSpec)
        return spec, status

    def recipe(self, name: str) -> RecipeSpec:
        """The recipe of that name; raises as `component` does."""
        spec, _ = self._find("recipe", name)
        assert isinstance(spec, RecipeSpec)
        return spec

    def components(self, role: str) -> tuple[ComponentSpec, ...]:
        """All components of one role, in the order of discovery."""
        return tuple(spec for status in self._usable() for spec in status.components if spec.role == role)

    def recipes(self) -> tuple[RecipeSpec, ...]:
        """All recipes, in the order of discovery."""
        return tuple(spec for status in self._usable() for spec in status.recipes)

    def commands(self) -> tuple[CommandSpec, ...]:
        """Commands that plugins add to the command line."""
        return tuple(spec for status in self._usable() for spec in status.commands)

    def checks(self) -> tuple[DoctorCheckSpec, ...]:
        """Checks that plugins add to `jepakit doctor`."""
        return tuple(spec for status in self._usable() for spec in status.checks)

    def used(self, config: NamesComponents) -> list[dict[str, str]]:
        """Distribution, version and content hash of every plugin that the config takes something from, for environment.json."""
        found = {status.distribution for role, name in config.named() for _, status in [self.component(role, name)]}
        return [provenance(name, self.plugins) for name in sorted(found)]

    def _usable(self) -> list[PluginStatus]:
        return [status for status in self.plugins if status.state == "ok"]

    def _find(self, kind: str, name: str) -> tuple[Spec, PluginStatus]:
        owner, _, short = name.rpartition("/")
        known = self._claims.get((kind, short), [])
        claims = [claim for claim in known if not owner or normalise(claim[1].distribution) == normalise(owner)]
        if not claims:
            raise self._unknown(kind, name)
        if len(claims) > 1:
            raise PluginError(_clash(kind, name, [status for _, status in claims]))
        return claims[0]

    def _unknown(self, kind: str, name: str) -> ConfigError | PluginError:
        if entry := provider(kind, name):
            return PluginError(f"{kind} '{name}' is {self._where(entry.distribution)}")
        here = {known for role, known in self._claims if role == kind}
        sentence = unknown_name(kind, name, here) + near_hint(kind, name, here=here)
        out = [f"{status.distribution} ({status.state})" for status in self.plugins if status.state != "ok"]
        return ConfigError(sentence + (f" Not loaded: {', '.join(out)}; see `jepakit plugins list`." if out else ""))

    def _where(self, distribution: str) -> str:
        """Why a plugin that the catalogue knows is of no use now, and what to do."""
        for status in self.plugins:
            if normalise(status.distribution) == normalise(distribution):
                remedy = status.remedy or f"update it: pip install --upgrade {distribution}"
                return f"part of {distribution}, which is installed but {status.state}: {status.reason or 'too old to have it'}; {remedy}"
        return f"not installed. {distribution} provides it: pip install {distribution}"


def load(target: str) -> Any:
    """The attribute that "package.module:attribute" names.

    Raises:
        PluginError: the module can't be imported (with the pip line for a package that is missing), or lacks the attribute.
    """
    module_name, _, attribute = target.partition(":")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        raise PluginError(_missing(target, error)) from error
    except ImportError as error:
        raise PluginError(f"{target} can't be imported: {error}; reinstall the package that it names") from error
    if not hasattr(module, attribute):
        raise PluginError(f"{target}: module {module_name} has no '{attribute}'.{nearest(attribute, vars(module))}")
    return getattr(module, attribute)


def _missing(target: str, error: ModuleNotFoundError) -> str:
    name = error.name or str(error)
    package = name.partition(".")[0]
    if package == target.partition(".")[0].partition(":")[0]:
        return f"{target} can't be imported: there is no module '{name}'; reinstall the plugin that names it"
    return f"{target} needs the package '{package}', which is not installed: pip install {package}"


def _clash(kind: str, name: str, owners: Sequence[PluginStatus]) -> str:
    who = " and ".join(f"{status.distribution} {status.version}" for status in owners)
    full = f"{owners[0].distribution}/{name}"
    line = f"jepakit train {full}" if kind == "recipe" else f"modality: {full}" if kind == "modality" else f"name: {full}"
    return f"{len(owners)} plugins have a {kind} named '{name}': {who}. Choose one by its full name: `{line}`"
