"""What is predicted of a column: how it differs from row to row, not what all its cells have in common."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from jepakit.sdk import Features, Settings, TargetTransform

LEAST_SPREAD = 1e-2
"""Standard deviation below which a dimension of a column is not blown up to one; levels are layer-normed, so one is their own scale."""


class ColumnTargetSettings(Settings):
    """Which blocks are predicted."""

    levels: tuple[int, ...] = Field((1, -1), min_length=1, description="blocks, 0-based; -1 is the encoder's normed output")


class ColumnTarget(TargetTransform):
    """The mean of layer-normed levels, with zero mean and unit variance over the rows of the batch, each column by itself.

    Most of what tokens of a table differ in is the column that they belong to, which the query says anyway: standardised over all
    tokens, a target is predicted well by whoever knows the mean of each column. Here that predictor earns nothing.
    Source of the mean of levels: data2vec, Baevski et al. 2022 (arXiv 2202.03555), section 3.3.
    """

    def __init__(self, settings: ColumnTargetSettings) -> None:
        super().__init__()
        self.asked = settings.levels
        self.levels = tuple(level for level in settings.levels if level != -1)

    def out_width(self, width: int) -> int:
        return width

    def forward(self, features: Features, valid: Tensor | None) -> Tensor:
        inner = iter(features.levels)
        parts = [(features.last if level == -1 else next(inner)).float() for level in self.asked]
        mixed = torch.stack([F.layer_norm(part, part.shape[-1:]) for part in parts]).mean(0)
        mass = mixed.new_ones(*mixed.shape[:2], 1) if valid is None else valid[..., None].float()
        count = mass.sum(0, keepdim=True).clamp_min(1.0)
        centred = mixed - (mixed * mass).sum(0, keepdim=True) / count
        spread = ((centred.square() * mass).sum(0, keepdim=True) / count).sqrt()
        return centred / spread.clamp_min(LEAST_SPREAD)
