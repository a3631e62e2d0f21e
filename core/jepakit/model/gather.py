"""The one gather, and the way back: every choice of tokens goes through here."""

from __future__ import annotations

from torch import Tensor

from jepakit.contracts.carriers import IndexSet


def take(x: Tensor, positions: IndexSet) -> Tensor:
    """Select tokens per sample. x (B, N, ...) and idx (B, n) → (B, n, ...); the order of idx is kept; padded entries repeat token 0."""
    idx = positions.idx
    shape = (*idx.shape, *x.shape[2:])
    return x.gather(1, idx.reshape(*idx.shape, *[1] * (x.dim() - 2)).expand(shape))


def spread(x: Tensor, positions: IndexSet, count: int) -> Tensor:
    """The reverse of `take` for positions that differ: x (B, n, ...) back to its places in (B, count, ...), zero elsewhere."""
    idx = positions.idx.reshape(*positions.idx.shape, *[1] * (x.dim() - 2)).expand(x.shape)
    return x.new_zeros(x.shape[0], count, *x.shape[2:]).scatter(1, idx, x)


def take_valid(valid: Tensor | None, positions: IndexSet) -> Tensor | None:
    """(B, n) bool: which of the chosen tokens are real; None when all are."""
    chosen = None if valid is None else valid.gather(1, positions.idx)
    if positions.valid is None:
        return chosen
    return positions.valid if chosen is None else chosen & positions.valid
