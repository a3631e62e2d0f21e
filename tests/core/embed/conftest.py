"""One tiny run on real digits, shared by the tests of what comes out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jepakit.config import load_config
from jepakit.engine import train
from jepakit.plugin_host.loader import discover

SMALL = [
    "tokenizer.patch=2", "encoder.width=32", "encoder.depth=2", "encoder.heads=1", "transform.levels=[0,-1]", "predictor.width=32",
    "predictor.depth=1", "data.batch=32", "train.steps=10", "train.minutes=null",
]  # fmt: skip


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "digits"
    train(load_config("image-quick", SMALL, discover()), discover(), "bundled:digits", out, lambda event: None)
    return out
