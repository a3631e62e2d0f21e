"""Scalers that are fitted once, on training rows, and then are buffers like any other: they travel with the run."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

KNOTS = 129
"""Quantiles kept of a column: steps of 0.8 %, about the spread of a quantile of 2,000 rows in the middle of a distribution."""
FARTHEST = 5.0
"""Standard deviations at which a standardised value stops."""


class Quantiles(nn.Module):
    """Each column to a standard normal through its training quantiles; ties share the middle of their ranks.

    Values beyond the training range become the outermost rank, about 2.66. A column that is constant or has no value becomes 0.
    """

    knots: Tensor

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.register_buffer("knots", torch.zeros(columns, KNOTS, dtype=torch.float64))

    def fit(self, cells: Tensor) -> None:
        """cells: (rows, columns) float64, NaN where missing."""
        steps = torch.linspace(0, 1, KNOTS, dtype=torch.float64)
        for number, column in enumerate(cells.T):
            known = column[~column.isnan()]
            self.knots[number] = torch.quantile(known, steps) if len(known) else 0.0

    def forward(self, cells: Tensor) -> Tensor:
        """(B, columns) float64 without NaN → the same, float32."""
        values = cells.T.contiguous()
        low, high = torch.searchsorted(self.knots, values), torch.searchsorted(self.knots, values, right=True)
        left = self.knots.gather(1, (low - 1).clamp(0, KNOTS - 1))
        right = self.knots.gather(1, low.clamp(0, KNOTS - 1))
        between = (low - 1) + ((values - left) / (right - left).clamp_min(1e-300)).clamp(0, 1)
        rank = torch.where(high > low, (low + high - 1) / 2, between) / (KNOTS - 1)
        edge = 1 / (2 * KNOTS)
        normal = math.sqrt(2) * torch.erfinv(2 * rank.clamp(edge, 1 - edge) - 1)
        flat = (self.knots[:, 0] == self.knots[:, -1])[:, None]
        return torch.where(flat, 0.0, normal).T.float()


class Standard(nn.Module):
    """Each column minus its mean, over its standard deviation, stopped at 5. A column that is constant or has no value becomes 0."""

    mean: Tensor
    rate: Tensor

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(columns, dtype=torch.float64))
        self.register_buffer("rate", torch.zeros(columns, dtype=torch.float64))

    def fit(self, cells: Tensor) -> None:
        """cells: (rows, columns) float64, NaN where missing."""
        for number, column in enumerate(cells.T):
            known = column[~column.isnan()]
            spread = known.std(unbiased=False) if len(known) else torch.tensor(0.0)
            self.mean[number] = known.mean() if len(known) else 0.0
            self.rate[number] = 1 / spread if spread > 1e-12 * (1 + self.mean[number].abs()) else 0.0

    def forward(self, cells: Tensor) -> Tensor:
        """(B, columns) float64 without NaN → the same, float32."""
        return ((cells - self.mean) * self.rate).clamp(-FARTHEST, FARTHEST).float()
