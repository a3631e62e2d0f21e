"""The masked step as published, written plainly from the paper: the yardstick for speed and for numbers.

One context and several target blocks an image, one predictor row a target block, explicit softmax attention, float32, a loop over
parameters for the average. Parameters bear the names of ours, so that both can run on the same weights.

Source: I-JEPA, Assran et al. 2023 (arXiv 2301.08243), section 3 and appendix A; the code is ours.
"""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PlainAttention(nn.Module):
    """softmax(q kᵀ / √d) v, written out."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        rows, n, width = x.shape
        q, k, v = self.qkv(x).reshape(rows, n, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) / math.sqrt(width // self.heads)).softmax(dim=-1)
        return self.out((weights @ v).transpose(1, 2).reshape(rows, n, width))


class PlainMlp(nn.Module):
    """Linear, GELU, linear; four times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, 4 * width)
        self.out = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.gelu(self.inner(x)))


class PlainBlock(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, eps=1e-6)
        self.attention = PlainAttention(width, heads)
        self.mlp_norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp = PlainMlp(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        return x + self.mlp(self.mlp_norm(x))


def plain_table(height: int, width: int, channels: int) -> Tensor:
    """(height * width, channels): sine and cosine of the row in the first half, of the column in the second."""
    quarter = channels // 4
    rates = 1.0 / 10_000 ** (torch.arange(quarter) / quarter)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    parts = [torch.cat(((place.reshape(-1, 1) * rates).sin(), (place.reshape(-1, 1) * rates).cos()), dim=1) for place in (rows, columns)]
    return torch.cat(parts, dim=1)


class PlainEncoder(nn.Module):
    """Patches plus table, the kept ones gathered, blocks, norm."""

    def __init__(self, width: int, depth: int, heads: int, table: Tensor) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(PlainBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.table = table

    def forward(self, patches: Tensor, keep: Tensor | None) -> Tensor:
        x = patches + self.table.repeat(len(patches), 1, 1)
        if keep is not None:
            x = torch.gather(x, 1, keep.unsqueeze(-1).repeat(1, 1, x.shape[-1]))
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class PlainPredictor(nn.Module):
    """One row a target block, the context repeated in each."""

    def __init__(self, width_in: int, width: int, depth: int, heads: int, table: Tensor) -> None:
        super().__init__()
        self.entry = nn.Linear(width_in, width)
        self.blocks = nn.ModuleList(PlainBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.exit = nn.Linear(width, width_in)
        self.mask_token = nn.Parameter(torch.zeros(1, width))
        self.table = table

    def forward(self, context: Tensor, keep: Tensor, targets: list[Tensor]) -> Tensor:
        """(targets * B, n, D): the rows of the first target block for all images, then those of the second, …"""
        images = len(context)
        x = self.entry(context) + pick(self.table, keep)
        rows = []
        for target in targets:
            asked = self.mask_token.repeat(images, target.shape[1], 1) + pick(self.table, target)
            rows.append(torch.cat((x, asked), dim=1))
        y = torch.cat(rows, dim=0)
        for block in self.blocks:
            y = block(y)
        return self.exit(self.norm(y)[:, context.shape[1] :])


def pick(table: Tensor, idx: Tensor) -> Tensor:
    """Rows of a table (N, C) by idx (B, n): (B, n, C)."""
    return torch.gather(table.repeat(len(idx), 1, 1), 1, idx.unsqueeze(-1).repeat(1, 1, table.shape[-1]))


class PublishedStep(nn.Module):
    """Patches (B, N, P) in, smooth-L1 loss out; `advance` takes the optimiser step and moves the average."""

    def __init__(self, *, patch_values: int, grid: int, width: int, depth: int, heads: int, predictor: tuple[int, int, int]) -> None:
        super().__init__()
        inner, inner_depth, inner_heads = predictor
        self.proj = nn.Linear(patch_values, width)
        self.encoder = PlainEncoder(width, depth, heads, plain_table(grid, grid, width))
        self.predictor = PlainPredictor(width, inner, inner_depth, inner_heads, plain_table(grid, grid, inner))
        self.target_proj = copy.deepcopy(self.proj).requires_grad_(False)
        self.target_encoder = copy.deepcopy(self.encoder).requires_grad_(False)

    def forward(self, patches: Tensor, keep: Tensor, targets: list[Tensor]) -> Tensor:
        with torch.no_grad():
            wanted = self.target_encoder(self.target_proj(patches), None)
            wanted = F.layer_norm(wanted, wanted.shape[-1:])
            width = wanted.shape[-1]
            wanted = torch.cat([torch.gather(wanted, 1, target.unsqueeze(-1).repeat(1, 1, width)) for target in targets], dim=0)
        context = self.encoder(self.proj(patches), keep)
        return F.smooth_l1_loss(self.predictor(context, keep, targets), wanted)

    @torch.no_grad()
    def average(self, momentum: float) -> None:
        """target ← momentum · target + (1 - momentum) · online, parameter by parameter."""
        for own, mean in ((self.proj, self.target_proj), (self.encoder, self.target_encoder)):
            for value, kept in zip(own.parameters(), mean.parameters()):
                kept.mul_(momentum).add_((1.0 - momentum) * value.detach())
