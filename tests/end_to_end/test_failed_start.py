"""Data that a recipe does not fit stop a run before it has a folder, so that the corrected command can name the same one."""

from __future__ import annotations

from pathlib import Path

import pytest

from jepakit.config import load_config
from jepakit.engine import train
from jepakit.errors import DataError
from jepakit.plugin_host.loader import discover

SMALL = [
    "encoder.width=32", "encoder.depth=2", "encoder.heads=2", "predictor.width=16", "predictor.depth=1",
    "predictor.heads=1", "train.steps=2", "train.minutes=null", "train.precision=float32", "data.batch=8",
]  # fmt: skip


def test_the_next_try_can_have_the_same_folder(tmp_path: Path) -> None:
    host, out = discover(), tmp_path / "run"
    wrong, right = (load_config("timeseries", [*SMALL, f"tokenizer.patch={patch}"], host) for patch in (99, 3))
    with pytest.raises(DataError):
        train(wrong, host, "bundled:japanese-vowels", out, lambda event: None)
    assert not out.exists()
    assert train(right, host, "bundled:japanese-vowels", out, lambda event: None).status == "finished"
