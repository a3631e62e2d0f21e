"""What every target promises: one row a token of the declared width, no gradient, and the same rows whatever the batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import torch
from torch import Tensor

from jepakit.contracts import ASIDE, Raw, TargetProvider, Tokens
from jepakit.model.backbone import Backbone
from jepakit.testing.check import Check, expect
from jepakit.testing.compare import close, finite, outputs_survive, shaped


def check_target(target: TargetProvider, backbone: Backbone, streams: Mapping[str, Raw]) -> Iterator[Check]:
    """Checks of one target on raw streams of a batch of at least two samples, beside the backbone it was made for."""
    for name, run, remedy in (
        ("shapes", _shapes, "return float32 (B, N, width), one row a token"),
        ("stop_gradient", _stop_gradient, "compute targets under torch.no_grad()"),
        ("deterministic", _deterministic, "switch off dropout and draw nothing"),
        ("after_step", _after_step, "return finite numbers to log, and leave the online encoder alone"),
        ("state", _state, "keep what is averaged in parameters and buffers"),
    ):
        yield Check(f"target.{name}", partial(run, target, backbone, streams), remedy)


def _tokens(backbone: Backbone, streams: Mapping[str, Raw]) -> dict[str, Tokens]:
    """Of the streams that are tokens; what a target made beforehand travels beside them."""
    return dict(backbone.tokens({name: raw for name, raw in streams.items() if not name.startswith(ASIDE)}))


def _run(target: TargetProvider, backbone: Backbone, streams: Mapping[str, Raw]) -> dict[str, Tensor]:
    tokens = _tokens(backbone, streams)
    return dict(target(streams, tokens, backbone, sorted(tokens)))


def _shapes(target: TargetProvider, backbone: Backbone, streams: Mapping[str, Raw]) -> None:
    tokens = _tokens(backbone, streams)
    for name, found in _run(target.eval(), backbone.eval(), streams).items():
        shaped(found, (*tokens[name].x.shape[:2], target.width), f"the target of stream '{name}'")
        expect(found.dtype == torch.float32, f"the target is {found.dtype}, not float32")
        finite(found[tokens[name].valid], "the target of valid tokens")


def _stop_gradient(target: TargetProvider, backbone: Backbone, streams: Mapping[str, Raw]) -> None:
    found = _run(target, backbone.train(), streams)
    expect(not any(part.requires_grad for part in found.values()), "the target carries a gradient")


@torch.no_grad()
def _deterministic(target: TargetProvider, backbone: Backbone, streams: Mapping[str, Raw]) -> None:
    first, again = (_run(target.eval(), backbone.eval(), streams) for _ in range(2))
    for name, part in first.items():
        close(part, again[name], "the same batch gives another target")


@torch.no_grad()
def _after_step(target: TargetProvider, backbone: Backbone, streams: Mapping[str, Raw]) -> None:
    before = [part.clone() for part in backbone.parameters()]
    for name, value in target.after_step(backbone, 1, 10).items():
        expect(abs(value) < float("inf"), f"after_step logs {name} = {value}")
    kept = all(torch.equal(ours, theirs) for ours, theirs in zip(before, backbone.parameters()))
    expect(kept, "after_step changes the online encoder")


def _state(target: TargetProvider, backbone: Backbone, streams: Mapping[str, Raw]) -> None:
    outputs_survive(target, lambda module: torch.cat([part.flatten() for part in _run(module, backbone.eval(), streams).values()]))
