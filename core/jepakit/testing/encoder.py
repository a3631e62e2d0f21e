"""What every encoder promises: the shapes of its role, rows that do not mix, padding that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from jepakit.contracts import Encoder, Features
from jepakit.testing.check import Check, Skipped, expect
from jepakit.testing.compare import Maker, bf16_close, close, finite, noise, outputs_survive, shaped, trains

CAPS = frozenset({"drop", "key_mask", "dense_mask"})
GRIDS = {1: (16,), 2: (4, 4), 3: (2, 2, 4)}


def check_encoder(encoder: Encoder, axes: int = 2, tokens_width: int | None = None, anew: Maker = None) -> Iterator[Check]:
    """Checks of one encoder.

    Args:
        axes: K of its coordinates. tokens_width: width of its tokens, its own where left out. anew: makes it again with other weights.
    """
    width = tokens_width or encoder.width
    for name, run, remedy in (
        ("shapes", _shapes, "Features.last (R, n, width) and one level for every number asked"),
        ("caps", _caps, "say in caps which of drop, key_mask, dense_mask it can do"),
        ("rows", _rows, "a row must not depend on other rows: no batch statistics in evaluation mode"),
        ("padding", _padding, "give tokens that are not valid no say: mask them in attention and in means"),
        ("order", _order, "positions are in coords, not in the order of the tokens"),
        ("pure", _pure, "change no input in place"),
        ("bf16", _bf16, "compute norms and softmax in float32"),
        ("trains", _trains, "use every parameter, and detach nothing"),
    ):
        yield Check(f"encoder.{name}", partial(run, encoder, axes, width), remedy)
    yield Check("encoder.state", partial(_state, encoder, axes, width, anew), "keep what was learned in parameters and buffers")
    yield Check(
        "encoder.export",
        partial(_export, encoder, axes, width),
        "no branches on the values of tensors in forward(); see the documents of torch.export",
        slow=True,
    )


def inputs(axes: int, width: int, rows: int = 3) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """x (rows, 16, width), coords (rows, 16, K) of a full grid, and the grid."""
    grid = GRIDS.get(axes, (16,))
    place = torch.stack(torch.meshgrid(*[torch.arange(float(size)) for size in grid], indexing="ij"), -1).flatten(0, -2)
    place = place if axes in GRIDS else place.repeat(1, axes)
    return noise(rows, 16, width), place.expand(rows, -1, -1).clone(), grid


def run(encoder: Encoder, x: Tensor, coords: Tensor, valid: Tensor | None = None, **more: object) -> Features:
    """One pass; Features or `Failed`."""
    channel = torch.zeros(x.shape[:2], dtype=torch.int64)
    features = encoder(x, coords, valid, channel=channel, **more)
    expect(isinstance(features, Features), f"forward() must return Features, it returned {type(features).__name__}")
    assert isinstance(features, Features)
    return features


@torch.no_grad()
def _shapes(encoder: Encoder, axes: int, width: int) -> None:
    for rows in (1, 3):
        x, coords, grid = inputs(axes, width, rows)
        features = run(encoder.eval(), x, coords, grid=grid, levels=(0, -1))
        shaped(features.last, (rows, 16, encoder.width), "Features.last")
        finite(features.last, "Features.last")
        expect(len(features.levels) == 2, f"two levels were asked, {len(features.levels)} came")
        for level in features.levels:
            shaped(level, (rows, 16, encoder.width), "a level")


def _caps(encoder: Encoder, axes: int, width: int) -> None:
    expect(bool(encoder.caps) and encoder.caps <= CAPS, f"caps is {set(encoder.caps) or 'empty'}, there is {', '.join(sorted(CAPS))}")
    expect(encoder.depth >= 1 and encoder.width >= 1, f"width is {encoder.width}, depth {encoder.depth}")


@torch.no_grad()
def _rows(encoder: Encoder, axes: int, width: int) -> None:
    x, coords, grid = inputs(axes, width)
    together = run(encoder.eval(), x, coords, grid=grid).last
    close(run(encoder, x.flip(0), coords, grid=grid).last.flip(0), together, "the order of the rows changes what they become")
    for row in range(len(x)):
        alone = run(encoder, x[row : row + 1], coords[row : row + 1], grid=grid).last
        close(alone, together[row : row + 1], f"row {row} alone is another one than among others")
    if encoder.caps & {"drop", "key_mask"}:
        valid = torch.arange(16) < torch.tensor([[16], [11], [7]])
        ragged = run(encoder, x, coords, valid).last.masked_fill(~valid[..., None], 0.0)
        turned = run(encoder, x.flip(0), coords, valid.flip(0)).last.flip(0).masked_fill(~valid[..., None], 0.0)
        close(turned, ragged, "the order of rows of different lengths changes what they become")


@torch.no_grad()
def _padding(encoder: Encoder, axes: int, width: int) -> None:
    if not encoder.caps & {"drop", "key_mask"}:
        raise Skipped("it runs on full grids only")
    x, coords, _ = inputs(axes, width)
    alone = run(encoder.eval(), x, coords).last
    junk = 100.0 * noise(len(x), 5, width, seed=3)
    valid = torch.arange(21).expand(len(x), -1) < 16
    padded = run(encoder, torch.cat((x, junk), 1), torch.cat((coords, torch.zeros(len(x), 5, coords.shape[-1])), 1), valid).last
    close(padded[:, :16], alone, "tokens that are not valid change those that are")


@torch.no_grad()
def _order(encoder: Encoder, axes: int, width: int) -> None:
    if "drop" not in encoder.caps:
        raise Skipped("its tokens lie on a grid")
    x, coords, _ = inputs(axes, width)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(1))
    close(
        run(encoder.eval(), x[:, order], coords[:, order]).last, run(encoder, x, coords).last[:, order], "the order of the tokens matters"
    )


@torch.no_grad()
def _pure(encoder: Encoder, axes: int, width: int) -> None:
    x, coords, grid = inputs(axes, width)
    before = x.clone(), coords.clone()
    first = run(encoder.eval(), x, coords, grid=grid).last.clone()
    expect(torch.equal(x, before[0]), "it changes x in place")
    expect(torch.equal(coords, before[1]), "it changes coords in place")
    expect(torch.equal(first, run(encoder, x, coords, grid=grid).last), "the same input gives another output in evaluation mode")


def _bf16(encoder: Encoder, axes: int, width: int) -> None:
    x, coords, grid = inputs(axes, width)
    bf16_close(encoder, lambda module: run(module, x, coords, grid=grid).last)


def _trains(encoder: Encoder, axes: int, width: int) -> None:
    x, coords, grid = inputs(axes, width)
    trains(encoder, run(encoder.train(), x, coords, grid=grid).last)


def _state(encoder: Encoder, axes: int, width: int, anew: Maker) -> None:
    x, coords, grid = inputs(axes, width)
    outputs_survive(encoder, lambda module: run(module, x, coords, grid=grid).last, anew=anew)


class _Last(torch.nn.Module):
    """An encoder as others run it: tokens and coords in, embeddings out."""

    def __init__(self, encoder: Encoder, grid: tuple[int, ...] | None) -> None:
        super().__init__()
        self.encoder, self.grid = encoder, grid

    def forward(self, x: Tensor, coords: Tensor) -> Tensor:
        return run(self.encoder, x, coords, grid=self.grid).last


@torch.no_grad()
def _export(encoder: Encoder, axes: int, width: int) -> None:
    x, coords, grid = inputs(axes, width)
    whole = _Last(encoder.eval(), None if "drop" in encoder.caps else grid)
    graph = torch.export.export(whole, (x, coords)).module()
    close(graph(x, coords), whole(x, coords), "the graph that torch.export makes of it gives another output")
