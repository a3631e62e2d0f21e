"""Cells of one sample stay apart: without it, all that a small scene asks for could be one direction."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from jepakit.sdk import Objective, Settings, StepOutput


class CellVarianceSettings(Settings):
    """Defaults: AD-L-JEPA (arXiv 2501.04969), equation 4."""

    floor: float | None = Field(
        None, gt=0, description="standard deviation below which a dimension is pushed apart; None: that of unit vectors, 1 / sqrt(width)"
    )


class CellVariance(Objective):
    """Hinge on the standard deviation of each dimension over the cells of one sample, of context features and of predictions.

    Both are brought to length one first. Mean over samples that have two cells or more; nothing crosses samples, so nothing crosses ranks.
    """

    def __init__(self, settings: CellVarianceSettings, *, width: int) -> None:
        super().__init__()
        self.floor = settings.floor

    def forward(self, out: StepOutput, step: int) -> Tensor:
        parts = [(features.last, features.valid) for features in out.contexts]
        parts += list(zip(out.predictions, out.valid))
        return torch.stack([self.hinge(x, valid) for x, valid in parts]).mean()

    def hinge(self, x: Tensor, valid: Tensor | None) -> Tensor:
        """x (B, n, D), valid (B, n) or None → a float32 scalar."""
        unit = F.normalize(x.float(), dim=-1)
        mass = torch.ones_like(unit[..., :1]) if valid is None else valid.float()[..., None]
        count = mass.sum(1)
        mean = (unit * mass).sum(1) / count.clamp_min(1.0)
        variance = ((unit - mean[:, None]).square() * mass).sum(1) / (count - 1).clamp_min(1.0)
        floor = x.shape[-1] ** -0.5 if self.floor is None else self.floor
        short = F.relu(floor - (variance + 1e-4).sqrt()).mean(-1)
        several = (count[:, 0] > 1).float()
        return (short * several).sum() / several.sum().clamp_min(1.0)
