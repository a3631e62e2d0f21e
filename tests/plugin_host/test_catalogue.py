"""registry.yaml: data, read with suspicion, and held against what is in plugins/."""

from __future__ import annotations

import importlib.util
import json
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jepakit.errors import ConfigError, PluginError, UsageError
from jepakit.plugin_host import catalogue
from jepakit.plugin_host.catalogue import find_entry, near_hint, parse_catalogue, provider, read_catalogue, search
from jepakit.plugin_host.loader import discover
from jepakit.specs import API

ROOT = Path(__file__).parents[2]
OURS = sorted((ROOT / "plugins").glob("*/pyproject.toml"))
ENTRY = {
    "name": "zoo",
    "distribution": "jepakit-zoo",
    "summary": "calls of animals, recorded at night",
    "modality": "zoo",
    "components": {"modality": ["zoo"], "tokenizer": ["zoo-patch"]},
    "recipes": ["zoo", "zoo-quick"],
    "paper": ["arXiv 2301.08243"],
    "licence": "Apache-2.0",
    "api": 1,
    "status": "experimental",
    "hashes": {"1.0": ["sha256:" + "0" * 64]},
}


def text(*entries: dict[str, Any]) -> str:
    return json.dumps({"version": 1, "plugins": list(entries)})  # JSON is YAML


ENTRIES = parse_catalogue(text(ENTRY), "registry.yaml")


@pytest.fixture
def zoo_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The shipped catalogue is one with the zoo in it."""
    path = tmp_path / "known" / "registry.yaml"
    path.parent.mkdir()
    path.write_text(text(ENTRY), encoding="utf-8")
    monkeypatch.setattr(catalogue, "_shipped", lambda: path)


def test_shipped_catalogue_can_be_read() -> None:
    assert len(read_catalogue()) == len(OURS)


def registered(project: dict[str, Any], folder: Path) -> tuple[dict[str, list[str]], list[str]]:
    """Components by role and recipes that the plugin modules of a project register; being light, they need nothing else."""
    components: dict[str, list[str]] = {}
    recipes: list[str] = []
    for target in project["entry-points"]["jepakit"].values():
        path = folder / (target.replace(".", "/") + ".py")
        spec = importlib.util.spec_from_file_location(f"registry_test_{target.replace('.', '_')}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert module.API == API
        for component in getattr(module, "register_components", list)():
            components.setdefault(component.role, []).append(component.name)
        recipes += [recipe.name for recipe in getattr(module, "register_recipes", list)()]
    return components, recipes


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.parent.name)
def test_entry_says_exactly_what_the_plugin_registers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(path.parent)
    before = set(sys.modules)
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    components, recipes = registered(project, path.parent)
    assert "torch" not in set(sys.modules) - before
    entry = find_entry(project["name"], read_catalogue())
    assert {role: sorted(names) for role, names in entry.components.items()} == {role: sorted(names) for role, names in components.items()}
    assert sorted(entry.recipes) == sorted(recipes)
    assert entry.licence == project["license"]
    assert entry.api == API


def test_every_entry_stands_in_plugins() -> None:
    names = {tomllib.loads(path.read_text(encoding="utf-8"))["project"]["name"] for path in OURS}
    assert {entry.distribution for entry in read_catalogue()} == names


def test_every_plugin_stands_in_the_readme_beside_them() -> None:
    readme = (ROOT / "plugins" / "README.md").read_text(encoding="utf-8")
    assert [path.parent.name for path in OURS if f"({path.parent.name}/README.md)" not in readme] == []


def test_catalogue_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_catalogue(tmp_path / "registry.yaml") == ()


def test_catalogue_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "registry.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"registry\.yaml can't be read"):
        read_catalogue(tmp_path / "registry.yaml")
    (tmp_path / "registry.yaml").write_bytes(b"#" * (1 << 21))
    with pytest.raises(ConfigError, match="2,097,152 bytes"):
        read_catalogue(tmp_path / "registry.yaml")


@pytest.mark.parametrize(
    ("kind", "name"), [("tokenizer", "zoo-patch"), ("modality", "zoo"), ("recipe", "zoo-quick"), ("recipe", "Jepakit_Zoo/zoo")]
)
def test_provider_is_found_by_short_and_full_names(kind: str, name: str) -> None:
    found = provider(kind, name, ENTRIES)
    assert found is not None
    assert found.distribution == "jepakit-zoo"


@pytest.mark.parametrize(("kind", "name"), [("tokenizer", "other/zoo-patch"), ("masker", "zoo-patch"), ("recipe", "zoo-patch")])
def test_nobody_provides_what_stands_nowhere(kind: str, name: str) -> None:
    assert provider(kind, name, ENTRIES) is None


def test_name_that_is_nearly_known_gets_the_line_as_well() -> None:
    assert near_hint("tokenizer", "zoo-pach", ENTRIES) == " jepakit-zoo would bring 'zoo-patch': pip install jepakit-zoo"
    assert near_hint("tokenizer", "something-else", ENTRIES) == ""
    assert near_hint("tokenizer", "zoo-pach", ENTRIES, here={"zoo-patch"}) == "", "it is installed"


@pytest.mark.usefixtures("zoo_is_known")
def test_unknown_names_anywhere_get_the_pip_line() -> None:
    host = discover()
    for kind, name in (("tokenizer", "zoo-patch"), ("modality", "zoo")):
        with pytest.raises(PluginError, match=r"is not installed\. jepakit-zoo provides it: pip install jepakit-zoo"):
            host.component(kind, name)
    with pytest.raises(PluginError, match=r"recipe 'zoo-quick' is not installed.*pip install jepakit-zoo"):
        host.recipe("zoo-quick")
    with pytest.raises(ConfigError, match=r"no tokenizer named 'zoo-pathc'.*pip install jepakit-zoo"):
        host.component("tokenizer", "zoo-pathc")


@pytest.mark.usefixtures("zoo_is_known")
def test_plugin_that_is_installed_but_broken_is_not_to_be_installed_again(install: Callable[..., None]) -> None:
    install("jepakit-zoo", "import a_package_that_is_not_there")
    with pytest.raises(PluginError, match=r"installed but import_error.*a_package_that_is_not_there.*update or uninstall jepakit-zoo"):
        discover().component("tokenizer", "zoo-patch")


@pytest.mark.parametrize(
    ("words", "found"), [("zoo", True), ("NIGHT animals", True), ("zoo-patch", True), ("nigth", True), ("2301", True), ("heart", False)]
)
def test_search_takes_words_parts_and_slips(words: str, found: bool) -> None:
    assert bool(search(words, ENTRIES)) == found


def test_entry_is_found_by_both_names() -> None:
    assert find_entry("zoo", ENTRIES) is find_entry("Jepakit.Zoo", ENTRIES) is ENTRIES[0]
    with pytest.raises(UsageError, match=r"no plugin named 'jepakit-zooo'\. Did you mean 'jepakit-zoo'"):
        find_entry("jepakit-zooo", ENTRIES)


@pytest.mark.parametrize("missing", ["name", "distribution", "summary", "modality", "licence", "api", "status"])
def test_entry_without_a_field_is_refused(missing: str) -> None:
    with pytest.raises(ConfigError, match=rf"registry\.yaml: plugins\.0\.{missing}: missing"):
        parse_catalogue(text({key: value for key, value in ENTRY.items() if key != missing}), "registry.yaml")


@pytest.mark.parametrize(
    "other",
    [
        {"name": "zoo2"},
        {"distribution": "jepakit-zoo2"},
        {"name": "z", "distribution": "Jepakit_Zoo"},
        {"name": "z", "distribution": "jepakit-z0o"},
    ],
)
def test_two_entries_that_can_be_mistaken_are_refused(other: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="two plugins have the"):
        parse_catalogue(text(ENTRY, ENTRY | other), "registry.yaml")
