"""Recipes: run configs as YAML text, found by name among the plugins or read from a file. The comment on top describes the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from jepakit.errors import ConfigError, PluginError
from jepakit.plugin_host.host import Host
from jepakit.specs import RecipeSpec
from jepakit.strict_yaml import LARGEST

SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Recipe:
    """The text of one recipe. name: what runs made from it are called. origin: where the text is from, for error sentences."""

    name: str
    text: str
    origin: str

    @property
    def description(self) -> str:
        """The comment on top: what it is, its paper, the command, the expected result."""
        lines = []
        for line in self.text.splitlines():
            if not line.startswith("#"):
                break
            lines.append(line[1:].removeprefix(" "))
        return "\n".join(lines).strip()


def find_recipe(name_or_path: str, host: Host) -> Recipe:
    """The recipe of a name, or of a YAML file.

    Raises:
        ConfigError: no such recipe, or the file can't be read. PluginError: two plugins have the name.
    """
    path = Path(name_or_path)
    if path.suffix in SUFFIXES or path.is_file():
        return Recipe(path.stem, _read_file(path), str(path))
    return read_recipe(host.recipe(name_or_path))


def read_recipe(spec: RecipeSpec) -> Recipe:
    """The text that a plugin ships. PluginError when it is not where the plugin says."""
    package, _, inside = spec.resource.partition(":")
    try:
        text = files(package).joinpath(inside).read_text(encoding="utf-8")
    except (ImportError, OSError, UnicodeDecodeError) as error:
        raise PluginError(f"recipe '{spec.name}': {spec.resource} can't be read ({error}); reinstall the plugin that ships it") from error
    return Recipe(spec.name, text, f"recipe '{spec.name}'")


def list_recipes(host: Host) -> list[Mapping[str, str]]:
    """Name, modality, summary and paper of every recipe, by name."""
    specs = sorted(host.recipes(), key=lambda spec: spec.name)
    return [{"name": spec.name, "modality": spec.modality, "summary": spec.summary, "paper": spec.paper} for spec in specs]


def _read_file(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise ConfigError(f"{path} has {path.stat().st_size:,} bytes; a recipe has at most {LARGEST:,}. Is it the right file?")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ConfigError(f"recipe {path} can't be read: {reason}; `jepakit recipes list` shows the recipes there are") from error
