"""A torch that an import has just loaded: nothing odd about it when it was left alone, and everything named when not."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOOK = "\nfrom jepakit.plugin_host.footprint import *\nfrom jepakit.plugin_host.footprint import calm_new_torch\n"
SHOW = "print(sorted([*surprises_of_new_torch(), *foreign_functions()]))"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import torch", []),
        (
            "import torch\ntorch.manual_seed(3)\ntorch.set_default_dtype(torch.float64)\ntorch.nn.Module._call_impl = lambda self: None",
            ["torch's default dtype", "torch's random state", "torch.nn.Module._call_impl"],
        ),
        ("import torch\ntorch.manual_seed(3)\ntorch.set_default_dtype(torch.float64)" + LOOK + "calm_new_torch()", []),
    ],
    ids=["untouched", "touched", "calmed"],
)
def test_new_torch(code: str, found: list[str], tmp_path) -> None:
    script = tmp_path / "script.py"
    script.write_text(code + LOOK + SHOW, encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == repr(found), done.stderr
