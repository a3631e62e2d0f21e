"""Cells of one kind → vectors, every column with weights of its own. Missing cells are put in later."""

from __future__ import annotations

import math
from typing import Literal

import torch
from einops import einsum
from torch import Tensor, nn

from jepakit_tabular.scaling import Quantiles, Standard

INIT_STD = 0.02
BITS = 52
"""Bits of a name, as the reader of tables hashes it."""
WORDY = 0.5
"""A column of names is read as text when it has more names than its vocabulary holds and this share of its cells differ."""
CYCLES = (365.2425 * 86400.0, 7 * 86400.0, 86400.0)
"""Year, week and day in seconds."""

Numeric = Literal["periodic", "piecewise", "linear"]


def fans(columns: int, fan_in: int, width: int) -> nn.Parameter:
    """(columns, fan_in, width), so that a column's vector has entries of variance about 1 / 3 for inputs of variance 1 (He et al.)."""
    return nn.Parameter((torch.rand(columns, fan_in, width) * 2 - 1) / math.sqrt(fan_in))


class NumberEmbedding(nn.Module):
    """Numbers, scaled, spread out and mapped.

    periodic: the value, and sines and cosines at learned frequencies, a linear map, ReLU. piecewise: how far it lies in each of the
    training quantiles' bins, a linear map. linear: the value alone (the published T-JEPA).
    Source: Gorishniy, Rubachev and Babenko 2022 (arXiv 2203.05556), sections 3.2 and 3.3.
    """

    def __init__(
        self, columns: int, width: int, *, kind: Numeric, count: int, sigma: float, scaler: Literal["quantile", "standard"]
    ) -> None:
        super().__init__()
        self.kind, self.count = kind, count
        self.scaler = Quantiles(columns) if scaler == "quantile" else Standard(columns)
        fan_in = {"periodic": 1 + 2 * count, "piecewise": 1 + count, "linear": 1}[kind]
        self.weight = fans(columns, fan_in, width)
        self.column_embedding = nn.Parameter(torch.randn(columns, width) * INIT_STD)
        self.frequency_embedding = nn.Parameter(torch.randn(columns, count) * sigma) if kind == "periodic" else None

    def fit(self, cells: Tensor) -> None:
        """cells: (rows, columns) float64, NaN where missing."""
        self.scaler.fit(cells)

    def forward(self, cells: Tensor) -> Tensor:
        """(B, columns) float64 without NaN → (B, columns, width) in the format of the weights."""
        z = self.scaler(cells)
        spread = self._spread(z).to(self.weight.dtype)
        mapped = einsum(spread, self.weight, "b f k, f k d -> b f d") + self.column_embedding
        return torch.relu(mapped) if self.kind == "periodic" else mapped

    def _spread(self, z: Tensor) -> Tensor:
        if self.frequency_embedding is not None:
            angles = 2 * math.pi * z[..., None] * self.frequency_embedding.float()
            return torch.cat((z[..., None], angles.sin(), angles.cos()), dim=-1)
        if self.kind == "piecewise":
            rank = 0.5 * (1 + torch.erf(z / math.sqrt(2)))  # scaled values are close to normal, so their ranks are even bins
            places = torch.arange(self.count, device=z.device)
            return torch.cat((z[..., None], (rank[..., None] * self.count - places).clamp(0, 1) * 2 - 1), dim=-1)
        return z[..., None]


class DateEmbedding(nn.Module):
    """Moments in seconds: how late, and where in the year, the week and the day, mapped."""

    cycles: Tensor

    def __init__(self, columns: int, width: int) -> None:
        super().__init__()
        self.scaler = Standard(columns)
        self.weight = fans(columns, 1 + 2 * len(CYCLES), width)
        self.column_embedding = nn.Parameter(torch.randn(columns, width) * INIT_STD)
        self.register_buffer("cycles", torch.tensor(CYCLES, dtype=torch.float64), persistent=False)

    def fit(self, cells: Tensor) -> None:
        """cells: (rows, columns) float64, NaN where missing."""
        self.scaler.fit(cells)

    def forward(self, cells: Tensor) -> Tensor:
        """(B, columns) float64 without NaN → (B, columns, width) in the format of the weights."""
        angles = (cells[..., None] / self.cycles % 1.0 * (2 * math.pi)).float()
        spread = torch.cat((self.scaler(cells)[..., None], angles.sin(), angles.cos()), dim=-1)
        return einsum(spread.to(self.weight.dtype), self.weight, "b f k, f k d -> b f d") + self.column_embedding


class NameEmbedding(nn.Module):
    """Categories and texts, known by their hashes.

    The most frequent training categories have rows of their own. Rarer and unseen ones share `buckets` rows by hash, which start at
    zero, so that what training never saw says nothing. A column of texts is a linear map of the bits of its similarity hash.
    """

    vocabulary: Tensor
    wordy: Tensor

    def __init__(self, columns: int, width: int, *, categories: int, buckets: int) -> None:
        super().__init__()
        self.categories, self.buckets = categories, buckets
        self.register_buffer("vocabulary", torch.full((columns, categories), 2**BITS, dtype=torch.int64))
        self.register_buffer("wordy", torch.zeros(columns, dtype=torch.bool))
        table = torch.randn(columns, categories + buckets, width) / math.sqrt(3)
        table[:, categories:] = 0.0
        self.category_embedding = nn.Parameter(table)
        self.text = fans(columns, BITS, width)
        self.column_embedding = nn.Parameter(torch.randn(columns, width) * INIT_STD)

    def fit(self, cells: Tensor) -> None:
        """cells: (rows, columns) float64 hashes, NaN where missing. A free place in the vocabulary holds 2^52, which no name has."""
        self.vocabulary.fill_(2**BITS)
        for number, column in enumerate(cells.T):
            names, counts = column[~column.isnan()].long().unique(return_counts=True)
            kept = names[counts.argsort(descending=True, stable=True)[: self.categories]].sort().values
            self.vocabulary[number, : len(kept)] = kept
            self.wordy[number] = len(names) > self.categories and len(names) > WORDY * int(counts.sum())

    def forward(self, cells: Tensor) -> Tensor:
        """(B, columns) float64 without NaN → (B, columns, width) in the format of the weights."""
        names = cells.long()
        place = torch.searchsorted(self.vocabulary, names.T.contiguous()).clamp_max(self.categories - 1)
        known = self.vocabulary.gather(1, place) == names.T
        rows = torch.where(known, place, self.categories + names.T % self.buckets)
        offset = torch.arange(rows.shape[0], device=rows.device)[:, None] * (self.categories + self.buckets)
        vectors = nn.functional.embedding((rows + offset).T, self.category_embedding.flatten(0, 1))
        texts = einsum(bits(names).to(self.text.dtype), self.text, "b f k, f k d -> b f d")
        vectors = torch.where(self.wordy[:, None], texts, vectors)
        return vectors + self.column_embedding


def bits(names: Tensor) -> Tensor:
    """(B, columns) int64 → (B, columns, 52) float32 of -1 and 1."""
    shifts = torch.arange(BITS, device=names.device)
    return ((names[..., None] >> shifts) & 1).float() * 2 - 1
