"""The zoo, slow half: the same bad plugins as wheels, really installed with pip, and what the command line makes of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.slow

FIXTURES = Path(__file__).parents[1] / "fixtures"
ZOO: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load((FIXTURES / "zoo.yaml").read_text(encoding="utf-8"))
HEALTHY = """from jepakit.sdk import ComponentSpec, hookimpl
API = 1
@hookimpl
def register_components(): return [ComponentSpec("masker", "fine", "zoo_fine_parts:Thing")]
"""
LISTENS = "\n@hookimpl\ndef after_step(run, step, metrics): raise ValueError('heard enough')\n"
DEADLINE = 20.0
SHORT = 6.0
"""Seconds for plugins that never end."""
Install = Callable[..., Path]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder that pip installs into, as `pip install --target` does for an environment of its own."""
    return tmp_path / "site"


@pytest.fixture
def install(tmp_path: Path, site: Path) -> Install:
    """install("zoo-bad", {"zoo_bad.py": source}): a wheel, built and installed without a network."""

    def write(distribution: str, files: dict[str, str], version: str = "1.0") -> Path:
        module = distribution.replace("-", "_")
        info = f"{module}-{version}.dist-info"
        wheel = tmp_path / f"{module}-{version}-py3-none-any.whl"
        entries = files | {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: zoo\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/entry_points.txt": f"[jepakit]\nmain = {module}\n",
        }
        record = "".join(f"{name},,\n" for name in [*entries, f"{info}/RECORD"])
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, text in (entries | {f"{info}/RECORD": record}).items():
                archive.writestr(name, text)
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--upgrade", "--target", str(site), str(wheel)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return wheel

    return write


@pytest.fixture
def healthy(install: Install) -> None:
    install("zoo-fine", {"zoo_fine.py": HEALTHY, "zoo_fine_parts.py": parts("class Thing(Mask): ...")})


def parts(source: str) -> str:
    return (FIXTURES / "zoo_parts.py").read_text(encoding="utf-8") + source


def jepakit(site: Path, *arguments: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "jepakit", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=site)
    assert code is None or done.returncode == code, done.stdout + done.stderr
    return done


def recipe(tmp_path: Path, role: str, name: str) -> str:
    from jepakit.plugin_host.loader import discover
    from jepakit.recipes import find_recipe

    text = yaml.safe_load(find_recipe("image-quick", discover(allow=frozenset())).text)
    text["objective"] = [{"name": "smooth-l1"}]
    text[role] = [{"name": name}] if role == "objective" else {"name": name}
    text["encoder"].update(width=32, depth=1)
    text["predictor"].update(width=16, depth=1)
    text["transform"]["levels"] = [-1]
    text["train"] = {"steps": 2, "log_every": 1}
    text["data"].update(batch=16, limit=32)
    path = tmp_path / f"{role}-{name}.yaml"
    path.write_text(yaml.safe_dump(text), encoding="utf-8")
    return str(path)


def train(site: Path, yaml_file: str, run: Path, *arguments: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    return jepakit(site, "train", yaml_file, "--data", "bundled:digits", "--out", str(run), "--json", *arguments, code=code)


@pytest.mark.parametrize("name", ZOO["discovery"])
def test_list_and_doctor_name_it_and_the_healthy_one_stays(name: str, install: Install, site: Path, healthy: None) -> None:
    case = ZOO["discovery"][name]
    install("zoo-bad", {"zoo_bad.py": case["light"]})
    listed = {one["distribution"]: one for one in json.loads(jepakit(site, "plugins", "list", "--json").stdout)["plugins"]}
    assert listed["zoo-bad"]["state"] == case["state"]
    assert case["says"] in f"{listed['zoo-bad']['reason']}; {listed['zoo-bad']['remedy']}"
    assert listed["zoo-fine"]["state"] == "ok"
    done = jepakit(site, "plugins", "doctor", "zoo-bad", "--json", "--deadline", str(DEADLINE), code=3)
    assert case["doctor"] in [problem["kind"] for problem in json.loads(done.stdout)["plugins"][0]["problems"]]


@pytest.mark.parametrize("name", ZOO["doctor"])
def test_doctor_names_it(name: str, install: Install, site: Path) -> None:
    case = ZOO["doctor"][name]
    files = {"zoo_bad.py": case["light"]} | ({"zoo_bad.pth": "import sys"} if case.get("pth") else {})
    install("zoo-bad", files)
    deadline = SHORT if case["kind"] == "hang" else DEADLINE
    done = jepakit(site, "plugins", "doctor", "zoo-bad", "--json", "--deadline", str(deadline), code=3)
    (found,) = json.loads(done.stdout)["plugins"]
    assert case["kind"] in [problem["kind"] for problem in found["problems"]]
    assert all(problem["remedy"] for problem in found["problems"])


@pytest.mark.parametrize("name", ZOO["runtime"])
def test_train_names_it_and_its_exit_code(name: str, install: Install, site: Path, tmp_path: Path) -> None:
    case = ZOO["runtime"][name]
    config = ", config='zoo_bad_parts:Options'" if case.get("config") else ""
    light = HEALTHY.replace('"masker", "fine", "zoo_fine_parts:Thing"', f"'{case['role']}', 'zoo', 'zoo_bad_parts:Thing'{config}")
    install("zoo-bad", {"zoo_bad.py": light + (LISTENS if case.get("listens") else ""), "zoo_bad_parts.py": parts(case["parts"])})
    done = train(site, recipe(tmp_path, case["role"], "zoo"), tmp_path / "run", code=case["exit"])
    assert case["says"] in done.stdout + done.stderr
    if kind := case.get("doctor"):
        told = jepakit(site, "plugins", "doctor", "zoo-bad", "--json", "--deadline", str(DEADLINE), code=3)
        assert kind in [problem["kind"] for problem in json.loads(told.stdout)["plugins"][0]["problems"]]


def test_healthy_run_beside_all_that_can_be_kept_apart(install: Install, site: Path, tmp_path: Path, healthy: None) -> None:
    """Every plugin that fails at discovery at once, and a run with the healthy one: the weights are those of a run without them."""
    file = recipe(tmp_path, "masker", "fine")
    train(site, file, tmp_path / "alone")
    for name, case in ZOO["discovery"].items():
        if name != "patches-torch":
            install(f"zoo-{name}", {f"zoo_{name.replace('-', '_')}.py": case["light"]})
    train(site, file, tmp_path / "beside")
    alone, beside = (next((tmp_path / run).glob("checkpoints/*/state.safetensors")).read_bytes() for run in ("alone", "beside"))
    assert alone == beside


def test_patched_torch_stops_a_run_with_the_line_that_lets_it_go_on(install: Install, site: Path, tmp_path: Path, healthy: None) -> None:
    install("zoo-bad", {"zoo_bad.py": ZOO["discovery"]["patches-torch"]["light"]})
    file = recipe(tmp_path, "masker", "fine")
    done = train(site, file, tmp_path / "run", code=3)
    assert "--no-plugins=zoo-bad" in done.stderr
    train(site, file, tmp_path / "run", "--no-plugins=zoo-bad")


def test_prints_at_import_do_not_reach_json(install: Install, site: Path) -> None:
    install("zoo-bad", {"zoo_bad.py": ZOO["doctor"]["prints"]["light"]})
    assert json.loads(jepakit(site, "plugins", "list", "--json").stdout)


def test_resume_and_eval_say_what_became_of_the_plugin(install: Install, site: Path, tmp_path: Path, healthy: None) -> None:
    run = tmp_path / "run"
    train(site, recipe(tmp_path, "masker", "fine"), run)
    recorded = json.loads((run / "environment.json").read_text())["plugins"]
    (manifest,) = run.glob("checkpoints/*/manifest.json")
    assert json.loads(manifest.read_text())["scalars"]["plugins"] == recorded
    assert ("zoo-fine", "1.0") in [(one["distribution"], one["version"]) for one in recorded]
    assert "reinstall" not in jepakit(site, "resume", str(run), "--json").stdout
    (site / "zoo_fine_parts.py").write_text(parts("class Thing(Mask):\n    query = (3,)\n"), encoding="utf-8")
    assert "pip install --force-reinstall zoo-fine==1.0" in jepakit(site, "resume", str(run), "--json").stdout
    install("zoo-fine", {"zoo_fine.py": HEALTHY, "zoo_fine_parts.py": parts("class Thing(Mask): ...")}, version="2.0")
    for stale in site.glob("zoo_fine-1.0.dist-info/*"):
        stale.unlink()
    assert "pip install zoo-fine==1.0" in jepakit(site, "eval", str(run), "--data", "bundled:digits", "--json", code=None).stdout
    gone = jepakit(site, "resume", str(run), "--no-plugins=zoo-fine", code=3)
    assert "made with zoo-fine 1.0" in gone.stderr
    assert "pip install zoo-fine==1.0" in gone.stderr
