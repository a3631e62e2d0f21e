"""A frozen tokenizer stays as it was drawn, in the encoder and in its average, through a stop and a resume as well."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from jepakit import checkpoint
from jepakit.build import build
from jepakit.config import load_config
from jepakit.engine import train
from jepakit.plugin_host.loader import discover

SMALL = [
    "tokenizer.patch=4", "encoder.width=32", "encoder.depth=2", "encoder.heads=2", "predictor.width=16", "predictor.depth=1",
    "predictor.heads=1", "data.batch=24", "train.steps=3", "train.minutes=null", "train.precision=float32", "data.limit=100",
]  # fmt: skip


@pytest.mark.parametrize("frozen", [True, False])
def test_a_tokenizer_trains_unless_it_is_frozen(tmp_path: Path, frozen: bool) -> None:
    host = discover()
    config = load_config("image-quick", [*SMALL, f"optim.freeze_tokenizer={str(frozen).lower()}"], host)
    assert train(config, host, "bundled:digits", tmp_path / "run", lambda event: None).status == "finished"
    trained = checkpoint.load_latest(tmp_path / "run").tensors
    drawn = build(config, host, {"kind": "image", "channels": 1}).jepa.state_dict()
    projections = [name for name in drawn if "tokenizers" in name and name.endswith("weight")]
    assert {name.split(".")[0] for name in projections} == {"backbone", "target"}
    for name in projections:
        assert torch.equal(trained[f"model/{name}"], drawn[name]) == frozen, name
    block = "backbone.encoder.blocks.0.mlp.inner.weight"
    assert not torch.equal(trained[f"model/{block}"], drawn[block])
