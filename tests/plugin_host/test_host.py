"""Import strings, and the built-in components."""

from __future__ import annotations

import pytest

from jepakit.builtin import register_components
from jepakit.errors import PluginError
from jepakit.plugin_host.loader import load
from jepakit.settings import Settings
from jepakit.specs import ComponentSpec


def test_load_returns_the_attribute() -> None:
    assert load("jepakit.settings:Settings") is Settings


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("jepakit.settings:Setings", "Did you mean 'Settings'"),
        ("jepakit.nowhere:Thing", "no module 'jepakit.nowhere'; reinstall"),
        ("a_package_that_is_not_there.part:Thing", "reinstall the plugin"),
    ],
)
def test_load_says_what_is_wrong(target: str, sentence: str) -> None:
    with pytest.raises(PluginError, match=sentence):
        load(target)


def test_missing_package_of_a_component_comes_with_the_pip_line(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zoo_needs_more.py").write_text("import zoo_rare_format.reader", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match="pip install zoo_rare_format"):
        load("zoo_needs_more:Thing")


@pytest.mark.parametrize("spec", register_components(), ids=lambda spec: f"{spec.role}-{spec.name}")
def test_every_component_of_the_core_exists_with_its_options(spec: ComponentSpec) -> None:
    assert callable(load(spec.target))
    assert not spec.config or issubclass(load(spec.config), Settings)
    assert spec.summary
