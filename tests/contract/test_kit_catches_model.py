"""Each check fails on a tokenizer, encoder, predictor or objective that breaks its promise, and on nothing else of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from jepakit.contracts import Features, Layout, Sample, Tokens
from jepakit.contracts.roles import Encoder, Objective, Predictor, Tokenizer
from jepakit.crossrank import all_gather_rows
from jepakit.layouts import grid_layout, patch_counts, patchify
from jepakit.testing import (
    Check,
    check_encoder,
    check_objective,
    check_predictor,
    check_tokenizer,
    run_checks,
)
from jepakit.testing.objective import step_output

Failing = Callable[[Iterable[Check]], set[str]]
WIDTH = 16
FIRST = float(step_output(WIDTH).predictions[0].detach()[0, 0, 0])


class Patches(Tokenizer):
    """A good tokenizer of series (time, sensor), and the ways to break it."""

    axes = ("t", "sensor")

    def __init__(self, sin: str = "") -> None:
        super().__init__()
        self.width, self.sin, self.seen = WIDTH, sin, 0
        self.proj, self.unused = nn.Linear(4, WIDTH), nn.Linear(2, 2) if sin == "trains" else None
        self.register_buffer("mean", torch.zeros(()))
        self.hidden = 1.0
        self.extra = (lambda: 0) if sin == "spawns" else None

    def fit(self, samples: Any) -> None:
        self.mean.fill_(float(np.mean([np.nanmean(sample.streams["main"]) for sample in samples])))
        if self.sin == "state":
            self.hidden = 3.0

    def layout(self, sample: Sample, stream: str) -> Layout | None:
        layout = grid_layout(patch_counts(sample.streams[stream].shape, (4, 1)), self.axes)
        return replace(layout, coords=layout.coords.astype(np.float64)) if self.sin == "layout" else layout

    def forward(self, raw: Any) -> Tokens:
        values = raw.values.float() if self.sin == "nan" else torch.nan_to_num(raw.values.float())
        if self.sin == "local":
            values = values - values.mean(1, keepdim=True)
        if self.sin == "rows":
            values = values - values.mean(0, keepdim=True)
        if self.sin == "fit":
            self.mean.mul_(0.5).add_(values.mean().detach())
        if self.sin == "padding":
            values = values + raw.values.shape[1]
        x = self.proj(self.cut((values - self.mean) / self.hidden, raw).to(self.proj.weight.dtype))
        if self.sin == "bf16":
            x = x * (float("nan") if x.dtype == torch.bfloat16 else 1.0)
        coords = raw.coords + 1 if self.sin == "tokens" else raw.coords
        return Tokens(x.detach() if self.sin == "trains" else x, coords, raw.valid, raw.channel, grid=raw.grid)

    def cut(self, values: Tensor, raw: Any) -> Tensor:
        if raw.extent is None:
            return patchify(values[:, None], (4, 1))
        out = values.new_zeros(len(values), raw.coords.shape[1], 4)
        for row, size in enumerate(raw.extent.tolist()):
            found = patchify(values[row : row + 1, : size[0], : size[1]][:, None], (4, 1))[0]
            out[row, : len(found)] = found
        return out


@pytest.mark.parametrize("sin", ["layout", "tokens", "rows", "padding", "local", "nan", "fit", "bf16", "trains", "state", "spawns"])
def test_tokenizer(sin: str, failing: Failing, samples: list[Sample]) -> None:
    assert sin in failing(check_tokenizer(Patches(sin), samples, anew=lambda: Patches(sin)))


def test_good_tokenizer_passes(failing: Failing, samples: list[Sample]) -> None:
    assert failing(check_tokenizer(Patches(), samples)) == set()


class Mixer(Encoder):
    """A good encoder (tokens plus their masked mean), and the ways to break it."""

    caps = frozenset({"drop"})
    width, depth = WIDTH, 1

    def __init__(self, sin: str = "") -> None:
        super().__init__()
        self.sin, self.proj, self.where = sin, nn.Linear(WIDTH, WIDTH), nn.Linear(2, WIDTH)
        self.unused = nn.Linear(2, 2) if sin == "trains" else None
        self.gain = torch.rand(()) if sin == "state" else 1.0
        self.caps = frozenset({"magic"}) if sin == "caps" else Mixer.caps  # type: ignore[misc]

    def forward(self, x: Tensor, coords: Tensor, valid: Tensor | None = None, *, levels: tuple[int, ...] = (), **more: Any) -> Features:  # type: ignore[override]
        if self.sin == "pure":
            coords.add_(1.0)
        keep = torch.ones_like(x[..., :1]) if valid is None or self.sin == "padding" else valid[..., None].to(x.dtype)
        mean = (x * keep).sum(1, keepdim=True) / keep.sum(1, keepdim=True)
        if self.sin == "rows":
            mean = mean.mean(0, keepdim=True)
        if self.sin == "ragged_rows" and valid is not None:
            mean = mean * valid[0].float().mean()
        if self.sin == "export" and bool(mean.sum() > 0):
            mean = -mean
        out = self.proj(x + mean) * self.gain + self.where(coords)
        if self.sin == "order":
            out = out + torch.arange(x.shape[1], dtype=out.dtype)[:, None]
        if self.sin == "bf16" and out.dtype == torch.bfloat16:
            out = -out
        last = out[..., :-1] if self.sin == "shapes" else out
        return Features(last=last, levels=tuple(out for _ in levels))


@pytest.mark.parametrize("sin", ["shapes", "caps", "rows", "padding", "order", "pure", "bf16", "trains", "state", "export"])
def test_encoder(sin: str, failing: Failing) -> None:
    assert sin in failing(check_encoder(Mixer(sin), 2, anew=lambda: Mixer(sin)))


def test_encoder_that_mixes_rows_of_different_lengths(failing: Failing) -> None:
    assert failing(check_encoder(Mixer("ragged_rows"), 2)) == {"rows", "padding"}


def test_good_encoder_passes(failing: Failing) -> None:
    assert failing(check_encoder(Mixer(), 2, anew=Mixer)) == set()


def test_encoder_with_weights_outside_its_checkpoint(failing: Failing) -> None:
    class Forgetful(Mixer):
        def state_dict(self, *args: Any, **kwargs: Any) -> Any:
            return {name: value for name, value in super().state_dict(*args, **kwargs).items() if "where" not in name}

        def load_state_dict(self, state: Any, strict: bool = True, assign: bool = False) -> Any:
            return super().load_state_dict(state, strict=False)

    assert failing(check_encoder(Forgetful(), 2)) == {"state"}


def test_encoder_that_counts_outside_its_checkpoint(failing: Failing) -> None:
    class Counting(Mixer):
        def forward(self, *args: Any, **more: Any) -> Features:  # type: ignore[override]
            self.gain = self.gain + 0.5 * self.training
            return super().forward(*args, **more)

    assert "state" in failing(check_encoder(Counting(), 2))


class Asker(Predictor):
    """A good predictor (context mean plus position), and the ways to break it."""

    style = "cross"

    def __init__(self, sin: str = "") -> None:
        super().__init__()
        self.sin, self.proj, self.where = sin, nn.Linear(WIDTH, 8), nn.Linear(2, 8)
        self.unused, self.gain = nn.Linear(2, 2) if sin == "trains" else None, torch.rand(())

    def forward(
        self, context: Tensor, context_coords: Tensor, context_valid: Tensor | None, query_coords: Tensor, *args: Any, **more: Any
    ) -> Tensor:  # type: ignore[override]
        if self.sin == "pure":
            query_coords -= 1.0
        keep = (
            torch.ones_like(context[..., :1])
            if context_valid is None or self.sin == "context_padding"
            else context_valid[..., None].float()
        )
        mean = (context * keep).sum(1, keepdim=True) / keep.sum(1, keepdim=True)
        if self.sin == "rows":
            mean = mean.mean(0, keepdim=True)
        out = self.where(query_coords) + self.proj(mean * (0.0 if self.sin == "context_matters" else 1.0))
        if self.sin == "groups":
            out = out + query_coords.mean((1, 2), keepdim=True)
        if self.sin == "query_order":
            out = out + torch.arange(out.shape[1])[:, None]
        if self.sin == "state":
            out = out * self.gain
        if self.sin == "bf16":
            out = out * (float("inf") if out.dtype == torch.bfloat16 else 1.0)
        return out[..., :-1] if self.sin == "shapes" else out


ASKER_SINS = ["shapes", "rows", "query_order", "context_padding", "context_matters", "pure", "groups", "bf16", "trains", "state"]


@pytest.mark.parametrize("sin", ASKER_SINS)
def test_predictor(sin: str, failing: Failing) -> None:
    assert sin in failing(check_predictor(Asker(sin), context_width=WIDTH, target_width=8, anew=lambda: Asker(sin)))


def test_good_predictor_passes(failing: Failing) -> None:
    assert failing(check_predictor(Asker(), context_width=WIDTH, target_width=8)) == set()


class Distance(Objective):
    """A good objective, and the ways to break it."""

    def __init__(self, sin: str = "") -> None:
        super().__init__()
        self.sin = sin

    def forward(self, out: Any, step: int) -> Tensor:
        prediction, target, valid = out.predictions[0], out.targets[0], out.valid[0]
        prediction, target = (prediction, target) if self.sin == "bf16" else (prediction.float(), target.float())
        if self.sin == "ranks":
            prediction = prediction - prediction.mean(0)  # of this rank alone
        each = (prediction - target).square().mean(-1)
        if self.sin == "scalar":
            return each
        if self.sin == "batch_order":
            each = each * torch.arange(len(each))[:, None]
        if self.sin == "seeded":
            each = each * torch.rand(())
        value = each.mean() if valid is None or self.sin == "padding" else (each * valid).sum() / valid.sum()
        if self.sin == "canary":
            value = value + torch.sqrt(prediction.var(0)).mean()
        return value.detach() if self.sin == "gradient" else value


@pytest.mark.parametrize("sin", ["scalar", "gradient", "canary", "seeded", "batch_order", "padding", "bf16", "ranks"])
def test_objective(sin: str, failing: Failing) -> None:
    assert sin in failing(check_objective(Distance(sin), WIDTH))


def test_good_objective_passes(failing: Failing) -> None:
    assert failing(check_objective(Distance(), WIDTH)) == set()


def test_objective_whose_ranks_do_not_meet() -> None:
    class Lonely(Distance):
        def forward(self, out: Any, step: int) -> Tensor:
            rows = out.predictions[0].float()[:, 0]
            return super().forward(out, step) + (all_gather_rows(rows).mean() if float(rows.detach()[0, 0]) == FIRST else 0.0)

    (outcome,) = [one for one in run_checks(check_objective(Lonely(), WIDTH)) if one.name == "objective.ranks"]
    assert outcome.state == "failed"
    assert "not every rank calls the same functions of jepakit.crossrank" in outcome.sentence
