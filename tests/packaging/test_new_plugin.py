"""The package that `plugins new` writes, installed by pip: found, trained, its own tests passed, uninstalled without a trace."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
Call = Callable[..., str]


@pytest.fixture
def python(tmp_path: Path) -> Call:
    """python("-m", "pip", …) in a fresh environment that sees all that is installed here; pip installs into it and not beside us."""
    root = tmp_path / "environment"
    venv.create(root, with_pip=False)
    (site,) = root.glob("lib/python*/site-packages")
    (site / "parent.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n", encoding="utf-8")

    def call(*arguments: str, folder: Path = tmp_path) -> str:
        environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        command = [str(root / "bin" / "python"), *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return call


@pytest.mark.parametrize("editable", [True, False], ids=["editable", "wheel"])
def test_new_plugin_is_installed_trained_and_uninstalled(editable: bool, python: Call, tmp_path: Path) -> None:
    python("-m", "jepakit", "plugins", "new", "jepakit-tide-gauge", "--modality", "timeseries")
    folder = tmp_path / "jepakit-tide-gauge"
    how = ["--editable"] if editable else []
    python("-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation", *how, str(folder))
    assert re.search(r"jepakit-tide-gauge 0\.1\.0 \(tide-gauge\) +ok", python("-m", "jepakit", "plugins", "list"))
    frozen = {one["distribution"]: one for one in json.loads(python("-m", "jepakit", "plugins", "freeze", "--json"))["plugins"]}
    assert frozen["jepakit-tide-gauge"]["editable"] == editable
    small = ["--set", "encoder.width=16", "--set", "encoder.depth=1", "--set", "data.limit=64", "--set", "data.batch=16", "--steps", "3"]
    python("-m", "jepakit", "train", "tide-gauge", "--data", "synthetic", "--out", "run", *small)
    python("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_data.py", folder=folder)
    python("-m", "pip", "uninstall", "-q", "-y", "jepakit-tide-gauge")
    assert "tide-gauge" not in python("-m", "jepakit", "plugins", "list")
