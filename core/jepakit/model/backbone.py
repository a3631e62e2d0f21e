"""Tokenizers and encoder as one module: what is trained as the context encoder, copied as the target encoder, and kept for users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from jepakit.contracts import Batch, Condition, Encoder, Features, IndexSet, Raw, Tokenizer, Tokens
from jepakit.model.gather import spread, take, take_valid


class Backbone(nn.Module):
    """One tokenizer a stream (a stream without its own uses the tokenizer of "main") and one encoder."""

    def __init__(self, tokenizers: Mapping[str, Tokenizer], encoder: Encoder) -> None:
        super().__init__()
        self.tokenizers = nn.ModuleDict(dict(tokenizers))
        self.encoder = encoder

    def tokenizer(self, stream: str) -> nn.Module:
        """The tokenizer of a stream."""
        return self.tokenizers[stream if stream in self.tokenizers else "main"]

    def tokens(self, streams: Mapping[str, Raw]) -> dict[str, Tokens]:
        """Every stream of a batch as tokens."""
        return {name: self.tokenizer(name)(raw) for name, raw in streams.items()}

    def encode(
        self,
        tokens: Tokens,
        positions: IndexSet | None = None,
        *,
        levels: tuple[int, ...] = (),
        condition: Condition | None = None,
    ) -> Features:
        """Features of the chosen tokens (B, n, D), computed from nothing but them; all tokens when `positions` is None."""
        if positions is None:
            return self._all(tokens, levels, condition)
        if "drop" in self.encoder.caps:
            return self._run(chosen(tokens, positions), levels, condition)
        visible = visibility(tokens, positions)
        if "dense_mask" in self.encoder.caps:
            hidden = replace(tokens, x=tokens.x * visible[..., None].to(tokens.x.dtype))
            features = self._run(replace(hidden, valid=visible), levels, condition)
        else:
            features = self._run(replace(tokens, valid=visible), levels, condition)
        return replace(
            features,
            last=take(features.last, positions),
            levels=tuple(take(level, positions) for level in features.levels),
            valid=take_valid(tokens.valid, positions),
        )

    def embed(self, batch: Batch, levels: tuple[int, ...] = ()) -> Features:
        """Features of every token of the "main" stream (the first one where there is no such stream), for evaluation."""
        name = "main" if "main" in batch.streams else next(iter(batch.streams))
        tokens = self.tokenizer(name)(batch.streams[name])
        return replace(self.encode(tokens, levels=levels, condition=batch.condition), coords=tokens.coords, tokens=tokens.x)

    def _all(self, tokens: Tokens, levels: tuple[int, ...], condition: Condition | None) -> Features:
        """Every token. Rows are as long as the most valid tokens in one: a lead that nobody recorded costs nothing and has no features."""
        longest, count = max(int(tokens.valid.sum(1).max()), 1), tokens.valid.shape[1]
        if longest == count or "drop" not in self.encoder.caps:
            return self._run(tokens, levels, condition)
        there = valid_first(tokens.valid, longest)
        features = self._run(chosen(tokens, there), levels, condition)
        return replace(
            features,
            last=spread(features.last, there, count),
            levels=tuple(spread(level, there, count) for level in features.levels),
            valid=tokens.valid,
        )

    def _run(self, tokens: Tokens, levels: tuple[int, ...], condition: Condition | None) -> Features:
        valid = None if all_valid(tokens.valid) else tokens.valid
        features: Features = self.encoder(
            tokens.x,
            tokens.coords,
            valid,
            channel=tokens.channel,
            prefix=tokens.prefix,
            condition=condition,
            levels=levels,
            grid=tokens.grid,
        )
        return features


def chosen(tokens: Tokens, positions: IndexSet) -> Tokens:
    """The chosen tokens as tokens of their own; the grid is gone."""
    valid = take_valid(None if all_valid(tokens.valid) else tokens.valid, positions)
    return Tokens(
        x=take(tokens.x, positions),
        coords=take(tokens.coords, positions),
        valid=torch.ones_like(positions.idx, dtype=torch.bool) if valid is None else valid,
        channel=take(tokens.channel, positions),
        prefix=tokens.prefix,
    )


def valid_first(valid: Tensor, count: int) -> IndexSet:
    """The first `count` places (B, count) of every row of valid (B, N) bool, its valid ones in front, in their order."""
    return IndexSet(valid.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :count])


def visibility(tokens: Tokens, positions: IndexSet) -> Tensor:
    """(B, N) bool: which tokens are chosen."""
    keep = take_valid(tokens.valid, positions)
    visible = torch.zeros_like(tokens.valid)
    return (
        visible.scatter(1, positions.idx, True if keep is None else keep)
        if keep is None
        else visible.scatter_reduce(1, positions.idx, keep, reduce="amax", include_self=True)
    )


def all_valid(valid: Tensor) -> bool:
    """Whether no token is padding. Costs one small reduction on a CPU and a synchronisation on an accelerator."""
    return bool(valid.all())
