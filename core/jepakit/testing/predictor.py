"""What every predictor promises: one prediction a query, made of its own context and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from jepakit.contracts import Predictor
from jepakit.testing.check import Check, Skipped, expect
from jepakit.testing.compare import Maker, bf16_close, close, finite, noise, outputs_survive, shaped, trains

ROWS, TOKENS, QUERIES = 3, 6, 4


def check_predictor(predictor: Predictor, *, context_width: int, target_width: int, axes: int = 2, anew: Maker = None) -> Iterator[Check]:
    """Checks of one predictor of these widths, for coordinates with `axes` axes. anew: makes it again with other weights."""
    for name, run, remedy in (
        ("shapes", _shapes, "return (R, queries, target width)"),
        ("rows", _rows, "a row must not depend on other rows"),
        ("query_order", _query_order, "queries differ by coords and kind, not by their order"),
        ("context_padding", _context_padding, "give context tokens that are not valid no say"),
        ("context_matters", _context_matters, "predict from the context, not from positions alone"),
        ("pure", _pure, "change no input in place"),
        ("groups", _groups, "a query sees the context and its own group; see Predictor.forward"),
        ("bf16", _bf16, "compute norms and softmax in float32"),
        ("trains", _trains, "use every parameter, and detach nothing"),
    ):
        yield Check(f"predictor.{name}", partial(run, predictor, context_width, target_width, axes), remedy)
    yield Check("predictor.state", partial(_state, predictor, context_width, axes, anew), "keep what was learned in parameters and buffers")


def _inputs(predictor: Predictor, width: int, axes: int) -> list[Tensor]:
    """context, its coords, query coords; as many queries as context tokens where the predictor works token by token."""
    queries = TOKENS if predictor.style == "pointwise" else QUERIES
    return [noise(ROWS, TOKENS, width), 4 * noise(ROWS, TOKENS, axes, seed=1).abs(), 4 * noise(ROWS, queries, axes, seed=2).abs()]


def _run(predictor: Predictor, context: Tensor, coords: Tensor, query: Tensor, valid: Tensor | None = None, **more: Any) -> Tensor:
    kinds = torch.zeros(query.shape[:2], dtype=torch.int64)
    channels = [torch.zeros(part.shape[:2], dtype=torch.int64) for part in (coords, query)]
    more = {"query_kind": kinds, "context_channel": channels[0], "query_channel": channels[1], **more}
    out: Tensor = predictor(context, coords, valid, query, None, **more)
    return out


@torch.no_grad()
def _shapes(predictor: Predictor, width: int, target: int, axes: int) -> None:
    given = _inputs(predictor.eval(), width, axes)
    out = _run(predictor, *given)
    shaped(out, (ROWS, given[2].shape[1], target), "the prediction")
    finite(out, "the prediction")
    expect(torch.equal(out, _run(predictor, *given)), "the same input gives another prediction in evaluation mode")


@torch.no_grad()
def _rows(predictor: Predictor, width: int, target: int, axes: int) -> None:
    given = _inputs(predictor.eval(), width, axes)
    together = _run(predictor, *given)
    close(_run(predictor, *[part.flip(0) for part in given]).flip(0), together, "the order of the rows changes predictions")
    close(_run(predictor, *[part[:1] for part in given]), together[:1], "a row alone is predicted otherwise than among others")


@torch.no_grad()
def _query_order(predictor: Predictor, width: int, target: int, axes: int) -> None:
    if predictor.style in ("pointwise", "causal", "dense_fill"):
        raise Skipped(f"in style '{predictor.style}' the order has a meaning")
    context, coords, query = _inputs(predictor.eval(), width, axes)
    close(
        _run(predictor, context, coords, query.flip(1)).flip(1), _run(predictor, context, coords, query), "the order of the queries matters"
    )


@torch.no_grad()
def _context_padding(predictor: Predictor, width: int, target: int, axes: int) -> None:
    if predictor.style in ("pointwise", "dense_fill"):
        raise Skipped(f"in style '{predictor.style}' context and queries are the same tokens")
    context, coords, query = _inputs(predictor.eval(), width, axes)
    valid = torch.arange(TOKENS + 3).expand(ROWS, -1) < TOKENS
    wide = [torch.cat((part, 50 * noise(ROWS, 3, part.shape[-1], seed=5)), 1) for part in (context, coords)]
    close(
        _run(predictor, wide[0], wide[1], query, valid),
        _run(predictor, context, coords, query),
        "context tokens that are not valid change predictions",
    )


@torch.no_grad()
def _context_matters(predictor: Predictor, width: int, target: int, axes: int) -> None:
    context, coords, query = _inputs(predictor.eval(), width, axes)
    gap = (_run(predictor, context, coords, query) - _run(predictor, context + 1 + context.flip(0), coords, query)).abs().max()
    expect(float(gap) > 0, "another context gives the same prediction")


@torch.no_grad()
def _pure(predictor: Predictor, width: int, target: int, axes: int) -> None:
    given = _inputs(predictor.eval(), width, axes)
    before = [part.clone() for part in given]
    _run(predictor, *given)
    for name, ours, theirs in zip(("the context", "coords of the context", "coords of the queries"), given, before):
        expect(torch.equal(ours, theirs), f"it changes {name} in place")


@torch.no_grad()
def _groups(predictor: Predictor, width: int, target: int, axes: int) -> None:
    if predictor.style in ("pointwise", "dense_fill", "causal"):
        raise Skipped(f"style '{predictor.style}' has no groups")
    context, coords, query = _inputs(predictor.eval(), width, axes)
    group = (torch.arange(QUERIES) >= QUERIES // 2).long().expand(ROWS, -1)
    before = _run(predictor, context, coords, query, query_group=group)
    moved = torch.cat((query[:, : QUERIES // 2], query[:, QUERIES // 2 :] + 3.0), 1)
    after = _run(predictor, context, coords, moved, query_group=group)
    close(after[:, : QUERIES // 2], before[:, : QUERIES // 2], "moving the queries of one group changes predictions of another")
    alone = _run(predictor, context, coords, query[:, : QUERIES // 2])
    close(before[:, : QUERIES // 2], alone, "a group among others is predicted otherwise than alone")


def _bf16(predictor: Predictor, width: int, target: int, axes: int) -> None:
    given = _inputs(predictor, width, axes)
    bf16_close(predictor, lambda module: _run(module, *given))


def _trains(predictor: Predictor, width: int, target: int, axes: int) -> None:
    kinds = getattr(getattr(predictor, "settings", None), "kinds", 1)
    given = _inputs(predictor.train(), width, axes)
    query_kind = torch.arange(given[2].shape[1]).remainder(kinds).expand(ROWS, -1)
    trains(predictor, _run(predictor, *given, query_kind=query_kind))


def _state(predictor: Predictor, width: int, axes: int, anew: Maker) -> None:
    given = _inputs(predictor, width, axes)
    outputs_survive(predictor, lambda module: _run(module, *given), anew=anew)
