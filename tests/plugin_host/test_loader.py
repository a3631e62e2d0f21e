"""Discovery: whatever one plugin does, the others and the core are as if it were not there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jepakit.errors import ConfigError, PluginError, UsageError
from jepakit.plugin_host.loader import Host, PluginStatus, discover

HOOK = "from jepakit.sdk import ComponentSpec, hookimpl\nAPI = 1\n@hookimpl\ndef register_components():\n    return "
LISTENS = "\n@hookimpl\ndef before_run(run, config): raise AssertionError('still registered')\n"
BROKEN = {
    "import_error": "import a_package_that_is_not_there",
    "import_exit": "import sys\nsys.exit(3)",
    "no_api": "from jepakit.sdk import hookimpl\n@hookimpl\ndef register_components(): return []",
    "other_api": "from jepakit.sdk import hookimpl\nAPI = 2\n@hookimpl\ndef register_components(): return []",
    "misspelled": "from jepakit.sdk import hookimpl\nAPI = 1\n@hookimpl\ndef register_component(): return []",
    "no_hook": "API = 1\ndef register_components(): return []",
    "argument": "from jepakit.sdk import hookimpl\nAPI = 1\n@hookimpl\ndef before_run(run, colour): ...",
    "hook_raises": HOOK + "1 / 0",
    "hook_exits": HOOK + "exit(1)",
    "no_list": HOOK + "None" + LISTENS,
    "no_spec": HOOK + "['block']",
    "role": HOOK + "[ComponentSpec('maskr', 'a', 'm:A')]",
    "name": HOOK + "[ComponentSpec('masker', 'A b', 'm:A')]",
    "target": HOOK + "[ComponentSpec('masker', 'a', 'm.A')]",
    "twice": HOOK + "[ComponentSpec('masker', 'a', 'm:A')] * 2",
    "shadow": HOOK + "[ComponentSpec('masker', 'mine', 'm:A'), ComponentSpec('masker', 'block', 'm:A')]" + LISTENS,
}
STATES = {
    "import_error": "import_error",
    "import_exit": "import_error",
    "no_api": "incompatible",
    "other_api": "incompatible",
    "shadow": "conflict",
}


def status(host: Host, distribution: str) -> PluginStatus:
    return next(found for found in host.plugins if found.distribution == distribution)


@pytest.mark.parametrize("case", BROKEN)
def test_broken_plugin_stays_alone(case: str, install) -> None:
    install("zoo-ant", BROKEN[case])
    install("zoo-owl")
    host = discover()
    found = status(host, "zoo-ant")
    assert found.state == STATES.get(case, "invalid")
    assert found.reason
    assert "zoo-ant" in found.remedy
    assert host.component("masker", "zoo-owl")[1].state == "ok"
    assert host.component("masker", "block")[1].distribution == "jepakit"
    assert all(spec.name != "mine" for spec in host.components("masker"))
    host.tell("before_run", {"run": "r", "config": {}}, pytest.fail)  # nothing of the broken one is left registered


def test_misspelled_hook_gets_the_nearest_name(install) -> None:
    install("zoo-ant", BROKEN["misspelled"])
    assert "Did you mean 'register_components'?" in status(discover(), "zoo-ant").reason


def test_import_error_names_the_module_that_is_missing(install) -> None:
    install("zoo-ant", BROKEN["import_error"])
    assert "a_package_that_is_not_there" in status(discover(), "zoo-ant").reason


def test_name_of_the_core_cannot_be_taken(install) -> None:
    install("a-first-by-name", BROKEN["shadow"])
    host = discover()
    assert host.component("masker", "block")[1].built_in
    assert "jepakit" in status(host, "a-first-by-name").reason


def test_name_of_two_outsiders_needs_the_full_one(install) -> None:
    install("zoo-bee", name="same")
    install("zoo-cat", name="same", version="2.5")
    host = discover()
    with pytest.raises(PluginError, match=r"zoo-bee 1\.0 and zoo-cat 2\.5.*name: zoo-bee/same"):
        host.component("masker", "same")
    spec, owner = host.component("masker", "Zoo_Cat/same")
    assert (spec.target, owner.distribution) == ("zoo_cat:Thing", "zoo-cat")
    with pytest.raises(PluginError, match="jepakit train zoo-bee/same-recipe"):
        host.recipe("same-recipe")
    assert host.recipe("zoo-bee/same-recipe").resource == "zoo_bee:recipe.yaml"


def test_disabled_plugin_is_never_imported(install) -> None:
    install("zoo-owl")
    host = discover(disabled=frozenset({"zoo_owl"}))
    assert status(host, "zoo-owl").state == "disabled"
    assert "zoo_owl" not in sys.modules


def test_allow_list_lets_in_only_those_named_and_the_core(install) -> None:
    install("zoo-owl")
    install("zoo-cat")
    host = discover(allow=frozenset({"zoo-cat"}))
    assert status(host, "zoo-owl").state == "disabled"
    assert status(host, "zoo-cat").state == "ok"
    assert host.component("masker", "block")


def test_misspelled_off_switch_is_an_error(install) -> None:
    install("zoo-owl")
    with pytest.raises(UsageError, match="Did you mean 'zoo-owl'"):
        discover(disabled=frozenset({"zoo-owls"}))


def test_order_does_not_depend_on_the_file_system(install) -> None:
    for name in ("zoo-cat", "Zoo_ant", "zoo-bee"):
        install(name)
    assert [found.distribution for found in discover().plugins if "jepakit" not in found.distribution] == ["Zoo_ant", "zoo-bee", "zoo-cat"]


def test_unknown_name_says_what_there_is_and_what_was_not_loaded(install) -> None:
    install("zoo-ant", BROKEN["import_error"])
    with pytest.raises(ConfigError, match=r"no masker named 'blok'.*Did you mean 'block'.*zoo-ant \(import_error\)"):
        discover().component("masker", "blok")


def test_used_names_each_plugin_once(install) -> None:
    class Config:
        def named(self) -> Iterator[tuple[str, str]]:
            yield from (("masker", "zoo-owl"), ("masker", "block"), ("encoder", "transformer"))

    install("zoo-owl")
    used = discover().used(Config())
    assert [(part["distribution"], part["version"]) for part in used][1:] == [("zoo-owl", "1.0")]
    assert [part["distribution"] for part in used] == ["jepakit", "zoo-owl"]


@pytest.fixture
def one_file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "zoo_in_one_file.py"
    path.write_text(HOOK + "[ComponentSpec('masker', 'lone', f'{__name__}:Lone')]\nclass Lone: ...\n", encoding="utf-8")
    yield path
    sys.modules.pop("zoo_in_one_file", None)


def test_one_file_plugin_can_be_used_and_loaded_again(one_file: Path) -> None:
    from jepakit.plugin_host.loader import load

    for _ in range(2):
        spec, _owner = discover(files=(one_file,), allow=frozenset()).component("masker", "lone")
        assert load(spec.target).__name__ == "Lone"


def test_broken_one_file_plugin_is_an_error(one_file: Path) -> None:
    one_file.write_text("import a_package_that_is_not_there", encoding="utf-8")
    with pytest.raises(PluginError, match=r"zoo_in_one_file\.py: importing it fails.*a_package_that_is_not_there"):
        discover(files=(one_file,))


def test_one_file_plugin_with_the_name_of_a_module_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "json.py"
    path.write_text("raise AssertionError('imported')", encoding="utf-8")
    with pytest.raises(PluginError, match="'json' is the name of another module"):
        discover(files=(path,))
