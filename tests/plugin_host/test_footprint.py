"""What an import changed: a torch just loaded that was left alone or not; random numbers that were drawn, and a seed that was set."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from jepakit.plugin_host.footprint import changes, footprint, put_back

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


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("pass", []),
        ("[random.randint(0, 2**24) for _ in range(700)]", ["draws from Python's random state"]),  # across a refill of the generator
        ("random.seed(0)", ["draws from Python's random state", "Python's random state"]),
    ],
    ids=["untouched", "drawn", "seeded"],
)
def test_numbers_drawn_are_put_back_and_a_seed_is_named(code: str, changed: list[str]) -> None:
    before = footprint()
    exec(code, {"random": random})  # as an import would run it
    assert changes(before, footprint()) == changed
    put_back(before, changed)
    assert not changes(before, footprint())
