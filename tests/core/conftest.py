"""A tiny JEPA on patches, built from real components, for the tests of the step; a tiny run, for those of what comes out of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from jepakit.config import load_config
from jepakit.contracts import Batch, Layout, Raw, Sample, Tokenizer, Tokens
from jepakit.engine import train
from jepakit.jepa import Jepa, Term
from jepakit.model.backbone import Backbone
from jepakit.model.encoder import EncoderSettings, TransformerEncoder
from jepakit.model.predictor import TransformerPredictor, TransformerSettings
from jepakit.model.predictor_cross import CrossPredictor, CrossSettings
from jepakit.objectives import SmoothL1, SmoothL1Settings
from jepakit.plugin_host.loader import discover
from jepakit.targets import EmaSettings, EmaTarget
from jepakit.targets_transform import LevelsSettings, LevelsTransform

WIDTH, VALUES = 24, 6
SMALL = [
    "tokenizer.patch=2", "encoder.width=32", "encoder.depth=2", "encoder.heads=1", "transform.levels=[0,-1]", "predictor.width=32",
    "predictor.depth=1", "data.batch=32", "train.steps=10", "train.minutes=null",
]  # fmt: skip


class PatchTokenizer(Tokenizer):
    """Rows of values (B, N, 6) on a square grid."""

    axes = ("y", "x")

    def __init__(self, grid: int) -> None:
        super().__init__()
        self.width, self.grid = WIDTH, grid
        self.proj = nn.Linear(VALUES, WIDTH)

    def layout(self, sample: Sample, stream: str) -> Layout | None:
        return None

    def forward(self, raw: Raw) -> Tokens:
        samples, count = raw.values.shape[:2]
        place = torch.arange(self.grid, dtype=torch.float32)
        coords = torch.stack(torch.meshgrid(place, place, indexing="ij"), dim=-1).reshape(1, -1, 2)
        valid = torch.ones(samples, count, dtype=torch.bool) if raw.valid is None else raw.valid
        channel = torch.zeros(samples, count, dtype=torch.int64)
        coords = coords.expand(samples, -1, -1) if count == self.grid**2 else raw.coords
        assert coords is not None
        return Tokens(self.proj(raw.values.to(self.proj.weight.dtype)), coords, valid, channel)


@pytest.fixture
def make_jepa() -> Callable[..., Jepa]:
    def make(grid: int = 4, executor: str = "rows", positions: str = "sincos", ema: EmaSettings | None = None, kinds: int = 1) -> Jepa:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            encoder = TransformerEncoder(EncoderSettings(width=WIDTH, depth=2, heads=2, positions=positions), axes=2)
            backbone = Backbone({"main": PatchTokenizer(grid)}, encoder)
            target = EmaTarget(ema or EmaSettings(), backbone=backbone, transform=LevelsTransform(LevelsSettings()))
            make_predictor = CrossPredictor if executor == "cross" else TransformerPredictor
            settings = (CrossSettings if executor == "cross" else TransformerSettings)(width=16, depth=2, heads=2, kinds=kinds)
            predictor = make_predictor(settings, context_width=WIDTH, target_width=WIDTH)
            term = Term("smooth-l1", SmoothL1(SmoothL1Settings(), width=WIDTH), 1.0)
            jepa = Jepa(backbone, target, predictor=predictor, terms=[term], executor=executor)
            for parameter in jepa.parameters():  # biases and norms away from their trivial start, so that nothing hides behind a zero
                parameter.data.add_(0.1 * torch.randn_like(parameter))
            return jepa

    return make


@pytest.fixture
def make_batch() -> Callable[..., Batch]:
    def make(samples: int = 3, tokens: int = 16, seed: int = 0) -> Batch:
        values: Tensor = torch.randn(samples, tokens, VALUES, generator=torch.Generator().manual_seed(seed))
        return Batch({"main": Raw(values)}, ids=tuple(str(number) for number in range(samples)))

    return make


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One tiny run on real digits, shared by the tests of what comes out of it. Not to be written to."""
    out = tmp_path_factory.mktemp("runs") / "digits"
    train(load_config("image-quick", SMALL, discover()), discover(), "bundled:digits", out, lambda event: None)
    return out
