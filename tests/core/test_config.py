"""A config is right, or one error says everything that is off."""

from __future__ import annotations

import contextlib
import copy
import math
from pathlib import Path

import pluggy
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jepakit.builtin import register_components
from jepakit.config import RunConfig, load_config
from jepakit.errors import ConfigError, PluginError
from jepakit.hookspecs import GROUP
from jepakit.plugin_host.loader import Host, PluginStatus
from jepakit.specs import ComponentSpec
from jepakit.strict_yaml import parse

TOYS = (
    ComponentSpec("modality", "toy", "toy:Modality"),
    ComponentSpec("tokenizer", "toy-patch", "toy:Tokenizer", "jepakit.maskers.random:RandomSettings"),
    ComponentSpec("view", "plain", "toy:View"),
    ComponentSpec("view", "rare", "toy:View", requires=("zoo_rare_format",), extra="rare"),
)
HOST = Host(
    pluggy.PluginManager(GROUP),
    [
        PluginStatus("jepakit", "0.1", "core", "ok", components=tuple(register_components())),
        PluginStatus("toys", "1.0", "main", "ok", components=TOYS),
    ],
)
SMALLEST = {"modality": "toy", "tokenizer": "toy-patch", "masker": "block", "encoder": "transformer", "objective": [{"name": "smooth-l1"}]}


def problems(*overrides: str, **sections: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(SMALLEST | sections, overrides, HOST)
    return str(caught.value)


def load(*overrides: str, **sections: object) -> RunConfig:
    return load_config(SMALLEST | sections, overrides, HOST)


def test_smallest_config_gets_every_default() -> None:
    config = load()
    assert (config.views, config.predictor, config.target) == (None, None, None)
    assert (config.executor, config.transform.name, config.data.batch, config.train.on_collapse) == ("union", "levels", 256, "warn")
    assert config.objective[0].weight == 1.0
    assert config.masker.settings is not None
    assert config.masker.settings.model_dump()["targets"] == 4


def test_resolved_config_round_trips_through_yaml() -> None:
    config = load("views=plain", "target=ema", "predictor={name: cross, depth: 2}", "objective.0.weight=2", "optim.lr=1e-5")
    again = load_config(yaml.safe_load(yaml.safe_dump(config.resolved())), (), HOST)
    assert again == config
    assert again.resolved() == config.resolved()
    assert again.objective[0].weight == 2.0


def test_recipe_file_is_named_after_itself(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(SMALLEST), encoding="utf-8")
    assert load_config(str(path), (), HOST).recipe == "mine"


def test_overrides_leave_the_recipe_alone() -> None:
    raw = copy.deepcopy(SMALLEST)
    load_config(raw, ("objective.0.weight=3", "masker.targets=2"), HOST)
    assert raw == SMALLEST


def test_named_yields_every_component() -> None:
    assert set(load("target=ema").named()) == {
        ("modality", "toy"),
        ("tokenizer", "toy-patch"),
        ("masker", "block"),
        ("encoder", "transformer"),
        ("target", "ema"),
        ("transform", "levels"),
        ("objective", "smooth-l1"),
    }


def test_component_made_of_components_round_trips_and_is_named() -> None:
    inner = [{"name": "ema", "half_life": 0.1}, {"name": "cross-stream", "sources": {"main": "other"}, "inner": {"name": "frozen"}}]
    config = load(target={"name": "multi", "inner": inner})
    assert load_config(yaml.safe_load(yaml.safe_dump(config.resolved())), (), HOST) == config
    assert {name for role, name in config.named() if role == "target"} == {"multi", "ema", "cross-stream", "frozen"}


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ({"name": "multi"}, "target.inner: target 'multi' is made of a list of {name: …}, got None"),
        (
            {"name": "cross-stream", "sources": {"main": "b"}, "inner": ["ema", "ema"]},
            "target.inner: target 'cross-stream' is made of one {name: …}",
        ),
        ({"name": "multi", "inner": [{"name": "emma"}]}, "target.inner.0.name: no target named 'emma'. There is: cross-stream, ema,"),
        ({"name": "multi", "inner": [{"name": "ema", "half_lif": 1}]}, "target.inner.0.half_lif: no such option of target 'ema'."),
        ({"name": "ema", "inner": [{"name": "ema"}]}, "target.inner: no such option of target 'ema'."),
    ],
)
def test_what_is_off_inside_a_component_is_said_with_its_place(target: object, line: str) -> None:
    assert line in problems(target=target)


def test_name_in_full_is_kept() -> None:
    assert load("tokenizer=toys/toy-patch").tokenizer.name == "toys/toy-patch"


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("masker.tragets=3", "masker.tragets: no such option of masker 'block'. Did you mean 'targets'?"),
        ("maskre.targets=3", "maskre: no such option of the config. Did you mean 'masker'?"),
        ("train.stesp=3", "train.stesp: no such option of section 'train'. Did you mean 'steps'?"),
        ("masker.name=blok", "masker.name: no masker named 'blok'."),
        ("masker.name=blok", "Did you mean 'block'?"),
        ("masker.targets=many", "masker.targets: expected a valid integer, got 'many'"),
        ("masker.targets=0", "masker.targets: expected a number greater than or equal to 1, got 0"),
        ("masker=3", "masker: expected {name: …} with one of: ball, block"),
        ("masker=null", "masker: expected {name: …}"),
        ("encoder.heads=5", "encoder: width 192 must be a multiple of heads 5"),
        ("executor=unio", "executor: expected 'rows', 'union', 'packed' or 'cross', got 'unio'. Did you mean 'union'?"),
        ("views={name: plain, flip: true}", "views.flip: no such option of view 'plain'."),
        ("objective=[]", "objective: expected a list"),
        ("objective.0.weight=.inf", "objective.0.weight: expected a finite number"),
        ("objective.0.weight=heavy", "objective.0.weight: expected a valid number, got 'heavy'"),
        ("objective.1.weight=2", "--set objective.1: expected the number of an entry, 0 to 0, got '1'"),
        ("modality=tyo", "modality: no modality named 'tyo'. There is: toy. Did you mean 'toy'?"),
        ("data=7", "data: expected `key: value` pairs, got 7"),
        ("train.accumulate=3", "train.accumulate: 3 must divide data.batch, which is 256"),
        ("train.seed.low=3", "train.seed: expected a valid integer, got {'low': 3}"),
        ("optim.lr.x.y=3", "optim.lr: expected a valid number"),
        ("train.device=gpu", "train.device: expected text of the pattern '^(auto|cpu|mps|xpu|cuda"),
        ("train.steps", "--set train.steps: expected key=value"),
        ("=3", "--set =3: expected key=value"),
        ("train..steps=3", "--set train..steps=3: expected key=value"),
        ("data.batch=[1", "--set data.batch is not valid YAML"),
        ("modality.x=1", "modality: expected the name of one"),
        ("recipe=7", "recipe: expected a valid string, got 7"),
    ],
)
def test_wrong_value_gets_one_sentence(override: str, line: str) -> None:
    assert line in problems(override)


def test_all_errors_come_at_once() -> None:
    said = problems("masker.tragets=3", "encoder.width=abc", "nonsense=1", "train.steps", "data.batch=0")
    assert "5 problems" in said
    assert len(said.splitlines()) == 6


def test_nothing_but_nonsense_names_every_required_section() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({}, (), HOST)
    for section in ("modality", "tokenizer", "masker", "encoder", "objective"):
        assert f"  {section}: expected" in str(caught.value)


def test_steps_and_minutes_exclude_each_other() -> None:
    assert "exclude each other" in problems("train.steps=5", "train.minutes=2")


def test_missing_package_is_a_plugin_error_with_the_pip_line() -> None:
    with pytest.raises(PluginError, match=r'pip install "toys\[rare\]"'):
        load("views=rare")


def test_mistakes_beside_a_missing_package_are_a_config_error() -> None:
    assert "zoo_rare_format" in problems("views=rare", "data.batch=0")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\na: 2", "the key 'a' stands twice"),
        ("masker: {name: block, name: tube}", "the key 'name' stands twice"),
        ("a: &x [1]\nb: *x", "aliases"),
        ("a: !!python/object/apply:os.system ['true']", "tags"),
        ("a: [1", "not valid YAML: line 1"),
        ("a: " + "x" * (1 << 20), "at most"),
        ("[" * 5000, "30 levels"),
        ("- 1\n" * 60_000, "50,000 values"),
        ("a: 2024-13-45", "not valid YAML"),
    ],
)
def test_yaml_that_is_off_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        parse(text, "x.yaml")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_way_to_write_a_number_is_a_number(value: float) -> None:
    assert math.isclose(parse(f"{value!r}", "x"), value, rel_tol=0, abs_tol=0)
    assert math.isclose(parse(f"{value:e}", "x"), float(f"{value:e}"), rel_tol=0, abs_tol=0)


@given(st.text(max_size=40))
def test_no_text_makes_an_override_fail_otherwise(text: str) -> None:
    with contextlib.suppress(ConfigError, PluginError):
        load(text)
