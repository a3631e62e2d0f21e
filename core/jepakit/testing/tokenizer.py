"""What every tokenizer promises: one row a token, positions untouched, no knowledge of other samples, padding or neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from jepakit import precision
from jepakit.contracts import Layout, Raw, Sample, Tokenizer, Tokens
from jepakit.contracts.carriers import MAIN
from jepakit.data.collate import alike, stack_stream
from jepakit.errors import ContractError, DataError
from jepakit.testing.check import Check, Skipped, expect
from jepakit.testing.compare import Maker, bf16_close, close, finite, noise, outputs_survive, same_state, shaped, trains, travelled

PROBED = 6
"""Tokens whose reach into the raw values is measured."""


def check_tokenizer(tokenizer: Tokenizer, samples: Sequence[Sample], stream: str = MAIN, *, anew: Maker = None) -> Iterator[Check]:
    """Checks of one tokenizer on at least four samples of one of its streams. anew: makes it again with other weights."""
    for name, run, remedy in (
        ("layout", _layout, "coords (N, K) float32, valid (N,) bool, channel (N,) int16, finite, the same every time"),
        ("tokens", _tokens, "x (B, N, width) with coords, valid and channel of the batch's layout handed through unchanged"),
        ("rows", _rows, "a sample's tokens must not depend on the other samples of the batch"),
        ("padding", _padding, "use raw.extent (or raw.valid) so that padding changes no valid token"),
        ("local", _local, "a token must be made of its own part of the sample only, or the context leaks what it should predict"),
        ("nan", _nan, "mark such tokens as not valid in layout(), or replace what is not finite in forward()"),
        ("fit", _fit, "learn statistics in fit() only, from the samples it is given"),
        ("bf16", _bf16, "compute statistics in float32, and give layers what fits their weights: x.to(self.proj.weight.dtype)"),
        ("trains", _trains, "use every parameter, and detach nothing"),
        ("spawns", _spawns, "keep no lambdas, open files or generators in the tokenizer"),
    ):
        yield Check(f"tokenizer.{name}", partial(run, tokenizer, samples, stream), remedy)
    yield Check("tokenizer.state", partial(_state, tokenizer, samples, stream, anew), "keep what was learned in parameters and buffers")


def batch_of(tokenizer: Tokenizer, samples: Sequence[Sample], stream: str = MAIN) -> Raw:
    """One stream of a batch, as collation makes it."""
    return stack_stream(samples, [tokenizer.layout(sample, stream) for sample in samples], stream)


def _layout(tokenizer: Tokenizer, samples: Sequence[Sample], stream: str) -> None:
    for sample in samples:
        layout = tokenizer.layout(sample, stream)
        if layout is None:
            raise Skipped("positions are known only after forward()")
        count = len(layout.coords)
        expect(layout.coords.shape == (count, len(tokenizer.axes)), f"coords are {layout.coords.shape}, axes are {tokenizer.axes}")
        expect(tuple(layout.axes) == tuple(tokenizer.axes), f"the layout's axes are {layout.axes}, the tokenizer's {tokenizer.axes}")
        kinds = tuple(str(array.dtype) for array in (layout.coords, layout.valid, layout.channel))
        expect(kinds == ("float32", "bool", "int16"), f"coords, valid and channel are {kinds}")
        expect(layout.valid.shape == layout.channel.shape == (count,), f"valid is {layout.valid.shape}, channel {layout.channel.shape}")
        expect(bool(np.isfinite(layout.coords).all() and layout.valid.any()), "coords are not finite, or no token is valid")
        expect(layout.grid is None or int(np.prod(layout.grid)) == count, f"the grid {layout.grid} does not hold {count} tokens")
        again = tokenizer.layout(sample, stream)
        expect(again is not None and alike(layout, again), "a second call gives another layout")


@torch.no_grad()
def _tokens(tokenizer: Tokenizer, samples: Sequence[Sample], stream: str) -> None:
    raw = batch_of(tokenizer.eval(), samples, stream)
    before = None if raw.coords is None else (raw.coords.clone(), raw.values.clone())
    tokens = tokenizer(raw)
    expect(isinstance(tokens, Tokens), f"forward() must return Tokens, it returned {type(tokens).__name__}")
    shaped(tokens.x, (len(samples), tokens.coords.shape[1], tokenizer.width), "x")
    shaped(tokens.coords, (len(samples), tokens.x.shape[1], len(tokenizer.axes)), "coords")
    shaped(tokens.valid, tuple(tokens.x.shape[:2]), "valid")
    expect(tokens.valid.dtype == torch.bool, f"valid is {tokens.valid.dtype}, not bool")
    finite(tokens.x[tokens.valid], "x at valid tokens")
    if before is not None and raw.coords is not None and raw.valid is not None:
        expect(torch.equal(tokens.coords, before[0]), "coords are not those of layout()")
        expect(torch.equal(tokens.valid, raw.valid), "valid is not that of layout()")
        expect(
            torch.equal(raw.values.nan_to_num(), before[1].nan_to_num()) and torch.equal(raw.coords, before[0]),
            "the batch was changed in place",
        )


@torch.no_grad()
def _rows(tokenizer: Tokenizer, samples: Sequence[Sample], stream: str) -> None:
    tokenizer.eval()
    together = tokenizer(batch_of(tokenizer, samples, stream))
    turned = tokenizer(batch_of(tokenizer, samples[::-1], stream))
    close(together.x, turned.x.flip(0), "the order of the samples changes their tokens")
    for row, sample in enumerate(samples):
        alone = tokenizer(batch_of(tokenizer, [sample], stream))
        keep, own = together.valid[row], alone.valid[0]
        close(together.x[row][keep], alone.x[0][own], f"the tokens of sample {sample.id} are others when it is alone in a batch")
        close(together.coords[row][keep], alone.coords[0][own], f"the coords of sample {sample.id} are others when it is alone in a batch")


@torch.no_grad()
def _padding(tokenizer: Tokenizer, samples: Sequence[Sample], stream: str) -> None:
    tokenizer.eval()
    small = samples[0]
    alone = tokenizer(batch_of(tokenizer, [small], stream))
    tried = 0
    for large in _larger(tokenizer, small, stream):
        both = tokenizer(batch_of(tokenizer, [small, large], stream))
        count = int(alone.valid[0].sum())
        expect(int(both.valid[0].sum()) == count, f"beside a larger sample it has {int(both.valid[0].sum())} valid tokens, alone {count}")
        close(both.x[0][both.valid[0]], alone.x[0][alone.valid[0]], "beside a larger sample its tokens are others")
        tried += 1
    if not tried:
        raise Skipped("samples have one size")


def _larger(tokenizer: Tokenizer, sample: Sample, stream: str) -> Iterator[Sample]:
    """The sample twice as long along each axis along which it may differ in size."""
    array = sample.streams[stream]
    before = tokenizer.layout(sample, stream)
    for axis in range(array.ndim):
        large = replace(sample, streams={**sample.streams, stream: np.concatenate([array, array], axis=axis)})
        try:
            layout = tokenizer.layout(large, stream)
            if layout is None or before is None or len(layout) <= len(before):
                continue
            tokenizer(batch_of(tokenizer, [large], stream))
        except (DataError, ContractError, RuntimeError, ValueError, IndexError):
            continue  # this axis has one size
        yield large


def _local(tokenizer: Tokenizer, samples: Sequence[Sample], stream: str) -> None:
    raw = tokenizer.eval().continuous(batch_of(tokenizer, samples[:1], stream))
    values = torch.nan_to_num(raw.values.float()).requires_grad_(True)
    tokens = tokenizer(replace(raw, values=values))
    places = torch.nonzero(tokens.valid[0]).flatten()
    chosen = places[torch.linspace(0, len(places) - 1, min(PROBED, len(places))).round().long().unique()]
    weights = noise(tokenizer.width, seed=1)
    reach: list[Tensor] = []
    for place in chosen:
        (gradient,) = torch.autograd.grad((tokens.x[0, place].float() * weights).sum(), values, retain_graph=True, allow_unused=True)
        if gradient is None:
            raise Skipped("its values are not differentiable")
        reach.append(gradient.flatten() != 0)
    for number, ours in enumerate(reach):
        for other, theirs in enumerate(reach[:number]):
            shared = int((ours & theirs).sum())
            expect(shared == 0, f"tokens {int(chosen[other])} and {int(chosen[number])} are both made of the same {shared} raw values")


@torch.no_grad()
def _nan(tokenizer: Tokenizer, samples: Sequence[Sample], stream: str) -> None:
    array = samples[0].streams[stream]
    if array.dtype.kind != "f":
        raise Skipped(f"{array.dtype} values are always finite")
    holed = array.copy()
    holed.reshape(-1)[: max(1, array.size // 50)] = np.nan
    try:
        tokens = tokenizer.eval()(batch_of(tokenizer, [replace(samples[0], streams={**samples[0].streams, stream: holed})], stream))
    except DataError:
        return
    finite(tokens.x[tokens.valid], "with NaN among the raw values, x at valid tokens")


@torch.no_grad()
def _fit(tokenizer: Tokenizer, samples: Sequence[Sample], stream: str) -> None:
    half = list(samples[: len(samples) // 2])
    tokenizer.fit(half)
    once = {name: value.clone() for name, value in tokenizer.state_dict().items()}
    tokenizer.eval()(batch_of(tokenizer, samples[len(half) :], stream))
    same_state(once, tokenizer, "samples that it was not fitted on leave a trace")
    tokenizer.fit(half)
    same_state(once, tokenizer, "fitting on the same samples again gives another result")
    finite(tokenizer(batch_of(tokenizer, samples, stream)).x, "after fit(), x")


def _bf16(tokenizer: Tokenizer, samples: Sequence[Sample], stream: str) -> None:
    raw = batch_of(tokenizer, samples, stream)
    bf16_close(tokenizer, lambda module: module(raw).x)
    finite(precision.run(tokenizer, "bf16-weights", raw).x, "with weights in bfloat16, x")


def _trains(tokenizer: Tokenizer, samples: Sequence[Sample], stream: str) -> None:
    trains(tokenizer, tokenizer.train()(batch_of(tokenizer, samples, stream)).x)


def _spawns(tokenizer: Tokenizer, samples: Sequence[Sample], stream: str) -> None:
    """Layouts are made in data workers."""
    there = travelled(tokenizer)
    for sample in samples[:2]:
        ours, theirs = tokenizer.layout(sample, stream), there.layout(sample, stream)
        same = ours is theirs if ours is None or theirs is None else alike(ours, theirs)
        expect(same, "in a data worker it gives another layout")


def _state(tokenizer: Tokenizer, samples: Sequence[Sample], stream: str, anew: Maker) -> None:
    raw, half = batch_of(tokenizer, samples, stream), list(samples[len(samples) // 2 :])
    outputs_survive(tokenizer, lambda module: module(raw).x, anew=anew, learn=lambda module: module.fit(half))


def layouts_of(tokenizer: Tokenizer, samples: Sequence[Sample]) -> list[dict[str, Layout]]:
    """The layouts of samples, for the checks of maskers; empty where positions are known only after forward()."""
    found = [{name: tokenizer.layout(sample, name) for name in sample.streams} for sample in samples]
    return [
        {name: part for name, part in one.items() if part is not None} for one in found if all(part is not None for part in one.values())
    ]
