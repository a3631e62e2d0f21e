"""The zoo, fast half: each bad plugin is named for what it is, and the healthy one beside it is as if it were alone.

The slow half (tests/packaging/test_zoo.py) installs the same plugins as wheels with pip and drives the command line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from jepakit.config import RunConfig, load_config
from jepakit.engine import train
from jepakit.errors import ComponentError, JepakitError
from jepakit.plugin_host.loader import Host, PluginStatus, discover

FIXTURES = Path(__file__).parents[1] / "fixtures"
ZOO: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load((FIXTURES / "zoo.yaml").read_text(encoding="utf-8"))
SMALL = [
    "tokenizer.patch=4", "encoder.width=32", "encoder.depth=1", "encoder.heads=2", "predictor.width=16", "predictor.depth=1",
    "predictor.heads=1", "data.batch=16", "train.steps=2", "train.minutes=null", "train.log_every=1", "train.precision=float32",
    "data.limit=32", "transform.levels=[-1]", "objective=[{name: smooth-l1}]",
]  # fmt: skip
LISTENS = "\n@hookimpl\ndef after_step(run, step, metrics): raise ValueError('heard enough')\n"


def status(host: Host, distribution: str = "zoo-bad") -> PluginStatus:
    return next(found for found in host.plugins if found.distribution == distribution)


def light_module(case: dict[str, Any]) -> str:
    config = ", config='zoo_bad_parts:Options'" if case.get("config") else ""
    spec = f"ComponentSpec('{case['role']}', 'zoo', 'zoo_bad_parts:Thing'{config})"
    hook = f"from jepakit.sdk import ComponentSpec, hookimpl\nAPI = 1\n@hookimpl\ndef register_components(): return [{spec}]\n"
    return hook + (LISTENS if case.get("listens") else "")


@pytest.fixture
def install_parts(install, tmp_path: Path) -> Iterator[Any]:
    def write(case: dict[str, Any]) -> None:
        install("zoo-bad", light_module(case))
        (tmp_path / "zoo_bad_parts.py").write_text((FIXTURES / "zoo_parts.py").read_text() + case["parts"], encoding="utf-8")

    yield write
    sys.modules.pop("zoo_bad_parts", None)


def with_zoo(role: str, tmp_path: Path, host: Host, *changes: str) -> RunConfig:
    """The small recipe with the component of the zoo in its place."""
    resolved = load_config("image-quick", SMALL, host).resolved()
    resolved[role] = [{"name": "zoo"}] if role == "objective" else {"name": "zoo"}
    return load_config({key: value for key, value in resolved.items() if value is not None}, changes, host)


@pytest.mark.parametrize("name", ZOO["discovery"])
def test_bad_plugin_is_named_and_hurts_nobody(name: str, install) -> None:
    case = ZOO["discovery"][name]
    install("zoo-bad", case["light"])
    install("zoo-owl")
    before = os.getcwd(), torch.get_default_dtype(), torch.get_rng_state().tolist(), torch.nn.functional.gelu
    host = discover()
    found = status(host)
    assert found.state == case["state"]
    assert case["says"] in f"{found.reason}; {found.remedy}"
    assert "zoo-bad" in found.remedy
    assert (os.getcwd(), torch.get_default_dtype(), torch.get_rng_state().tolist(), torch.nn.functional.gelu) == before
    assert host.component("masker", "zoo-owl")[1].state == "ok"


@pytest.mark.parametrize("name", ZOO["runtime"])
def test_bad_component_is_named_by_the_run(name: str, install_parts, tmp_path: Path) -> None:
    case = ZOO["runtime"][name]
    install_parts(case)
    events: list[dict[str, Any]] = []
    host = discover()

    def run() -> str:
        return train(with_zoo(case["role"], tmp_path, host), host, "bundled:digits", tmp_path / "run", events.append).status

    if case["exit"] == 0:
        assert run() == "finished"
        (warned,) = [event["sentence"] for event in events if event["event"] == "warning"]
        assert case["says"] in warned
        assert "zoo-bad 1.0" in warned
        return
    with pytest.raises(JepakitError) as caught:
        run()
    assert caught.value.exit_code == case["exit"]
    assert case["says"] in str(caught.value)
    assert "zoo" in str(caught.value)


@pytest.mark.parametrize("workers", [0, 2])
def test_error_of_a_component_keeps_its_cause_and_names_all(workers: int, install_parts, tmp_path: Path, recwarn) -> None:
    case = ZOO["runtime"]["raises-late"]
    install_parts(
        case
        | {
            "parts": case["parts"].replace("raise", "if request.progress > 0: raise")
            + "\n        return super().__call__(layouts, request)"
        }
    )
    host = discover()
    config = with_zoo("masker", tmp_path, host, f"data.workers={workers}")
    with pytest.raises(ComponentError) as caught:
        train(config, host, "bundled:digits", tmp_path / "run", lambda event: None)
    error = caught.value
    assert (error.distribution, error.version, error.role, error.name) == ("zoo-bad", "1.0", "masker", "zoo")
    assert len(error.samples) == 1
    assert "KeyError: 'late'" in str(error)
    assert error.__cause__ is not None
