"""Each check fails on a component that breaks its promise, and on nothing else of it: the kit can say no."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from jepakit.contracts import Context, Features, IndexSet, Layout, MaskPlan, Query, Sample, Tokens
from jepakit.contracts.roles import Encoder, Masker, MaskRequest, Modality, Objective, Predictor, Reader, Tokenizer, ViewMaker
from jepakit.crossrank import all_gather_rows
from jepakit.layouts import grid_layout, patch_counts, patchify
from jepakit.memory import MemoryReader
from jepakit.testing import (
    Check,
    check_encoder,
    check_masker,
    check_modality,
    check_objective,
    check_predictor,
    check_reader,
    check_tokenizer,
    check_view,
    run_checks,
)  # fmt: skip
from jepakit.testing.objective import step_output

WIDTH = 16
FIRST = float(step_output(WIDTH).predictions[0].detach()[0, 0, 0])


def failing(checks: Iterable[Check]) -> set[str]:
    failed = [outcome for outcome in run_checks(checks) if outcome.state == "failed"]
    assert [
        outcome
        for outcome in failed
        if "AttributeError" in outcome.sentence and "pickle" not in outcome.sentence and "local" in outcome.name
    ] == []
    return {outcome.name.partition(".")[2] for outcome in failed}


class Half(Masker):
    """A good masker, and the ways to break it."""

    def __init__(self, sin: str = "") -> None:
        self.sin = sin
        self.extra: Any = (lambda: 0) if sin == "spawns" else None

    def __call__(self, layouts: Mapping[str, Layout], request: MaskRequest) -> MaskPlan:
        layout, sin = layouts["main"], self.sin
        rng = np.random if sin == "seeded" else np.random.Generator(np.random.Philox(key=[0, 0])) if sin == "random" else request.rng
        valid = np.arange(len(layout)) if sin == "well_formed" else np.flatnonzero(layout.valid)
        if len(valid) < 2 and sin != "tiny":
            from jepakit.errors import ContractError

            raise ContractError("too few tokens")
        mixed = rng.permutation(valid[1:] if sin == "covers" and len(valid) > 3 else valid)
        cut = len(mixed) // 2
        seen, asked = np.sort(mixed[:cut]), np.sort(mixed[cut - 1 if sin == "disjoint" else cut :])
        if sin == "pure":
            layout.coords[:] += 1.0
        kind = int(rng.integers(100)) if sin == "collates" else 0
        info = {"context_ratio": 0.9 if sin == "honest_info" else len(seen) / int(layout.valid.sum())}
        return MaskPlan((Context(IndexSet(seen.astype(np.int64))),), (Query(IndexSet(asked.astype(np.int64)), kind=kind),), info=info)


def fresh_layouts() -> list[dict[str, Layout]]:
    rng = np.random.Generator(np.random.Philox(key=[1, 1]))
    return [{"main": Layout(rng.random((20, 2)).astype(np.float32), np.arange(20) % 5 > 0, np.zeros(20, np.int16), ("y", "x"))}]


MASKER_SINS = ["well_formed", "disjoint", "seeded", "random", "pure", "covers", "collates", "honest_info", "tiny", "spawns"]


@pytest.mark.parametrize("sin", MASKER_SINS)
def test_masker(sin: str) -> None:
    assert sin in failing(check_masker(Half(sin), fresh_layouts()))


def test_good_masker_passes() -> None:
    assert failing(check_masker(Half(), fresh_layouts())) == set()


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


def series(count: int = 6) -> list[Sample]:
    rng = np.random.Generator(np.random.Philox(key=[2, 2]))
    return [Sample({"main": rng.normal(size=(16, 3)).astype(np.float32)}, id=str(index)) for index in range(count)]


@pytest.mark.parametrize("sin", ["layout", "tokens", "rows", "padding", "local", "nan", "fit", "bf16", "trains", "state", "spawns"])
def test_tokenizer(sin: str) -> None:
    assert sin in failing(check_tokenizer(Patches(sin), series(), anew=lambda: Patches(sin)))


def test_good_tokenizer_passes() -> None:
    assert failing(check_tokenizer(Patches(), series())) == set()


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
def test_encoder(sin: str) -> None:
    assert sin in failing(check_encoder(Mixer(sin), 2, anew=lambda: Mixer(sin)))


def test_encoder_that_mixes_rows_of_different_lengths() -> None:
    assert failing(check_encoder(Mixer("ragged_rows"), 2)) == {"rows", "padding"}


def test_good_encoder_passes() -> None:
    assert failing(check_encoder(Mixer(), 2, anew=Mixer)) == set()


def test_encoder_with_weights_outside_its_checkpoint() -> None:
    class Forgetful(Mixer):
        def state_dict(self, *args: Any, **kwargs: Any) -> Any:
            return {name: value for name, value in super().state_dict(*args, **kwargs).items() if "where" not in name}

        def load_state_dict(self, state: Any, strict: bool = True, assign: bool = False) -> Any:
            return super().load_state_dict(state, strict=False)

    assert failing(check_encoder(Forgetful(), 2)) == {"state"}


def test_encoder_that_counts_outside_its_checkpoint() -> None:
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
def test_predictor(sin: str) -> None:
    assert sin in failing(check_predictor(Asker(sin), context_width=WIDTH, target_width=8, anew=lambda: Asker(sin)))


def test_good_predictor_passes() -> None:
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
def test_objective(sin: str) -> None:
    assert sin in failing(check_objective(Distance(sin), WIDTH))


def test_good_objective_passes() -> None:
    assert failing(check_objective(Distance(), WIDTH)) == set()


class Noise(ViewMaker):
    """A good view, and the ways to break it."""

    def __init__(self, sin: str = "") -> None:
        self.sin, self.extra = sin, (lambda: 0) if sin == "spawns" else None

    def __call__(self, sample: Sample, rng: np.random.Generator, progress: float) -> Sample:
        array = sample.streams["main"]
        drawn = np.random.normal(size=array.shape) if self.sin == "seeded" else rng.normal(size=array.shape)
        if self.sin == "pure":
            array += 1.0
        made = (array + drawn).astype(np.float64 if self.sin == "keeps" else array.dtype)
        return replace(sample, streams={"main": made})


@pytest.mark.parametrize("sin", ["seeded", "pure", "keeps", "spawns"])
def test_view(sin: str) -> None:
    assert sin in failing(check_view(Noise(sin), series()))


def test_good_view_passes() -> None:
    assert failing(check_view(Noise(), series())) == set()


class Odd(Reader):
    """A good reader, and the ways to break it."""

    def __init__(self, sin: str = "") -> None:
        self.sin, self.reads, self.extra = sin, 0, (lambda: 0) if sin == "spawns" else None

    def __len__(self) -> int:
        return 10

    def read(self, index: int) -> Sample:
        self.reads += 1
        value = np.full((3, 2), index + (self.reads if self.sin == "deterministic" else 0), np.float32)
        label = None if self.sin == "labels" and index == 3 else index % 2
        streams = {"main": value.astype(str) if self.sin == "samples" else value}
        return Sample(streams, id="same" if self.sin == "ids" else str(index), label=label)

    def spec(self) -> Mapping[str, Any]:
        return {"kind": "odd", "what": {1, 2}} if self.sin == "spec" else {"kind": "odd"}

    def fingerprint(self) -> str:
        return str(self.reads) if self.sin == "fingerprint" else "odd"


@pytest.mark.parametrize("sin", ["samples", "deterministic", "ids", "spec", "fingerprint", "labels", "spawns"])
def test_reader(sin: str) -> None:
    assert sin in failing(check_reader(Odd(sin)))


def test_good_reader_passes() -> None:
    assert failing(check_reader(Odd())) == set()


class Coin(Modality):
    """A good modality, and the ways to break it."""

    name = "coin"

    def __init__(self, sin: str = "") -> None:
        self.sin = sin

    def open(self, source: str, split: str) -> Reader:
        if self.sin == "missing_path":
            return self.synthetic(4, 0)
        from jepakit.errors import DataError

        raise DataError(f"{source}: no such file")

    def synthetic(self, count: int, seed: int, split: str = "train") -> Reader:
        key = [0 if self.sin == "synthetic" else seed, split == "test"]
        rng = np.random.Generator(np.random.Philox(key=key))
        labels = np.arange(count) // 2 % 2
        labels = np.sort(labels) if self.sin == "synthetic_not_by_place" else labels * (self.sin != "synthetic_labels")
        return MemoryReader(rng.normal(size=(count, 5)).astype(np.float32), labels.tolist(), kind="coin")

    def raw_features(self, sample: Sample) -> np.ndarray:
        found: np.ndarray = sample.streams["main"]
        return found[:, None] if self.sin == "raw_features" else found

    def picture(self, sample: Sample) -> np.ndarray | None:
        return np.zeros((4, 4)) if self.sin == "pictures" else None


MODALITY_SINS = ["synthetic", "synthetic_labels", "synthetic_not_by_place", "raw_features", "pictures", "missing_path"]


@pytest.mark.parametrize("sin", MODALITY_SINS)
def test_modality(sin: str) -> None:
    assert sin in failing(check_modality(Coin(sin)))


def test_good_modality_passes() -> None:
    assert failing(check_modality(Coin())) == set()


def bad() -> None:
    raise AssertionError("broken")


def quietly_online() -> None:
    with contextlib.suppress(OSError):
        socket.create_connection(("weights.example.org", 443))


def test_check_that_reaches_for_the_network_fails_even_if_it_hides_it() -> None:
    (outcome,) = run_checks([Check("a.b", quietly_online)])
    assert (outcome.state, outcome.sentence) == ("failed", "it asks the network for weights.example.org")


def test_objective_whose_ranks_do_not_meet() -> None:
    class Lonely(Distance):
        def forward(self, out: Any, step: int) -> Tensor:
            rows = out.predictions[0].float()[:, 0]
            return super().forward(out, step) + (all_gather_rows(rows).mean() if float(rows.detach()[0, 0]) == FIRST else 0.0)

    (outcome,) = [one for one in run_checks(check_objective(Lonely(), WIDTH)) if one.name == "objective.ranks"]
    assert outcome.state == "failed"
    assert "not every rank calls the same functions of jepakit.crossrank" in outcome.sentence


def call_all(make: Callable[[], Iterable[Check]]) -> list[str]:
    return [check.name for check in make()]


def test_names_of_checks_are_unique() -> None:
    names = call_all(lambda: check_masker(Half(), fresh_layouts())) + call_all(lambda: check_encoder(Mixer(), 2))
    assert len(names) == len(set(names))
