"""Recipes: found, described, and every shipped one is a valid config."""

from __future__ import annotations

from pathlib import Path

import pytest

from jepakit.config import load_config
from jepakit.errors import ConfigError, PluginError
from jepakit.plugin_host.loader import discover
from jepakit.recipes import Recipe, find_recipe, list_recipes, read_recipe
from jepakit.specs import RecipeSpec

HOST = discover(allow=frozenset())
NAMES = [str(recipe["name"]) for recipe in list_recipes(HOST)]


def test_the_image_recipes_ship() -> None:
    assert {"image", "image-quick"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_shipped_recipe_is_a_valid_config_and_says_what_it_is(name: str) -> None:
    recipe = find_recipe(name, HOST)
    config = load_config(name, (), HOST)
    assert config.modality == HOST.recipe(name).modality
    assert config.train.steps or config.train.minutes
    for part in ("Paper", "Command", "Expect", f"jepakit train {name} "):
        assert part in recipe.description


def test_description_is_the_comment_on_top() -> None:
    assert Recipe("a", "# One.\n#\n#   two\nmodality: x\n# not this\n", "a").description == "One.\n\n  two"


def test_unknown_recipe_gets_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'image'"):
        find_recipe("imgae", HOST)


@pytest.mark.parametrize("name", ["nowhere.yaml", "."])
def test_file_that_is_not_there_is_a_config_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        find_recipe(str(tmp_path / name) if name.endswith("yaml") else name, HOST)


def test_file_that_is_no_text_is_a_config_error(tmp_path: Path) -> None:
    path = tmp_path / "picture.yaml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match="no UTF-8 text"):
        find_recipe(str(path), HOST)


def test_recipe_that_a_plugin_does_not_ship_is_a_plugin_error() -> None:
    with pytest.raises(PluginError, match="reinstall the plugin"):
        read_recipe(RecipeSpec("x", "toy", "jepakit:recipes/x.yaml"))
