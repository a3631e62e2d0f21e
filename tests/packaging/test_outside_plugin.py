"""A plugin that jepakit never saw: built as a wheel, installed beside jepakit, found, checked, trained, uninstalled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "tests" / "fixtures" / "outside_plugin"
SMALL = ["encoder.width=16", "encoder.depth=1", "predictor.width=16", "data.batch=16", "data.limit=64"]
SETS = [part for change in SMALL for part in ("--set", change)]


def run(*command: str | Path, code: int = 0, env: dict[str, str] | None = None) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, env=os.environ | (env or {}))
    assert done.returncode == code, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(PLUGIN, tmp_path_factory.mktemp("wheel"))


def build(source: Path, folder: Path) -> Path:
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder, source)
    (built,) = folder.glob("*.whl")
    return built


def state(listing: str) -> str:
    """What became of the plugin, by `plugins list --json`."""
    found = [one["state"] for one in json.loads(listing)["plugins"] if one["distribution"] == "jepakit-thermal"]
    return found[0] if found else "absent"


@pytest.mark.slow
def test_installed_into_a_folder_it_is_found_and_trains(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--no-compile", "--target", site, wheel)
    with_it = {"PYTHONPATH": str(site)}
    jepakit = [sys.executable, "-m", "jepakit"]
    assert state(run(*jepakit, "plugins", "list", "--json", env=with_it)) == "ok"
    assert state(run(*jepakit, "plugins", "list", "--json")) == "absent"
    run(*jepakit, "train", "thermal", "--data", "synthetic", "--steps", "4", "--out", tmp_path / "run", *SETS, env=with_it)
    (used,) = [
        one for one in json.loads((tmp_path / "run" / "environment.json").read_text())["plugins"] if "thermal" in one["distribution"]
    ]
    assert used["version"] == "1.2.0"
    said = run(*jepakit, "eval", tmp_path / "run", "--data", "synthetic", code=3)
    assert "pip install jepakit-thermal==1.2.0" in said


@pytest.mark.slow
def test_in_a_clean_environment_from_install_to_uninstall(wheel: Path, tmp_path: Path) -> None:
    """jepakit comes as a wheel as well; its dependencies are those of this environment, so that nothing is downloaded."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    here = run(sys.executable, "-c", "import numpy; print(numpy.__path__[0])").strip()
    site = next((tmp_path / "env" / "lib").glob("python*/site-packages"))
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", build(ROOT, tmp_path / "own"), wheel)
    # behind the environment's own packages, without the .pth files that would bring this checkout in
    (site / "dependencies.pth").write_text(str(Path(here).parent) + "\n")
    jepakit = [python, "-m", "jepakit"]
    assert str(ROOT) not in run(python, "-c", "import jepakit; print(jepakit.__file__)", env={"PYTHONPATH": ""})
    assert state(run(*jepakit, "plugins", "list", "--json")) == "ok"
    checked = json.loads(run(*jepakit, "plugins", "check", "jepakit-thermal", "--fast", "--json", *SETS[:6]))
    assert checked["good"]
    assert len([one for one in checked["checks"] if one["state"] == "passed"]) > 25
    run(*jepakit, "train", "thermal", "--data", "synthetic", "--steps", "4", "--out", tmp_path / "run", *SETS)
    run(python, "-m", "pip", "uninstall", "--yes", "jepakit-thermal")
    assert state(run(*jepakit, "plugins", "list", "--json")) == "absent"
    said = run(*jepakit, "train", "thermal", "--data", "synthetic", code=1)
    assert "no recipe named" in said
