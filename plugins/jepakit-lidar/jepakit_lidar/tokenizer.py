"""Cells seen from above as tokens: statistics of the points in each, or a learned token for "nothing is here"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from einops import rearrange
from pydantic import Field
from torch import Tensor, nn

from jepakit.sdk import DataError, Layout, Raw, Sample, Settings, Tokenizer, Tokens
from jepakit_lidar.cells import HALF, cells_of, centres, keys_of

OCCUPIED, EMPTY = 0, 1
"""Channel of a token: its cell holds a point, or is known to hold none."""
SLICES = 8
"""Height slices whose share of the points is told."""
FITTED = 256
"""Training tiles that statistics are fitted on: tens of thousands of cells."""


class CellSettings(Settings):
    """Options. Heights: AD-L-JEPA (arXiv 2501.04969), section 4.1, whose cells of 0.4 m are made of voxels; larger ones suit a CPU."""

    cell: float = Field(0.8, gt=0, description="side of a cell in metres; that of view lidar-halves must be the same")
    floor: float = Field(-3.0, description="lowest height of the slices, in metres above the sensor")
    ceiling: float = Field(1.0, description="highest height of the slices, in metres above the sensor")
    hidden: int = Field(128, ge=1, description="width of the layer between statistics and tokens")


class CellTokenizer(Tokenizer):
    """Points (B, P, 4) → one token a cell that holds a point; rows without a height say that the cell at their x, y is empty.

    coords are the centres of cells, axes "x" and "y", in metres from the sensor; the channel tells occupied (0) from empty (1) cells.
    Statistics are computed in float32 by sums over the points of a cell: no loop, no sparse convolution.
    """

    axes = ("x", "y")
    mean: Tensor
    std: Tensor

    def __init__(self, settings: CellSettings, *, width: int, spec: Mapping[str, Any]) -> None:
        super().__init__()
        self.settings, self.width = settings, width
        self.register_buffer("mean", torch.zeros(STATISTICS))
        self.register_buffer("std", torch.ones(STATISTICS))
        self.embed = nn.Sequential(nn.Linear(STATISTICS, settings.hidden), nn.ReLU(), nn.Linear(settings.hidden, width))
        self.empty = nn.Parameter(0.02 * torch.randn(width))

    def fit(self, samples: Sequence[Sample]) -> None:
        """Mean and spread of every statistic over the occupied cells of evenly spread samples."""
        found = [self.describe(sample) for sample in samples[:: max(1, len(samples) // FITTED)]]
        rows = np.concatenate(found).astype(np.float64)
        self.mean.copy_(torch.from_numpy(rows.mean(axis=0)))
        self.std.copy_(torch.from_numpy(np.maximum(rows.std(axis=0), 1e-3)))

    @torch.no_grad()
    def describe(self, sample: Sample) -> np.ndarray:
        """(occupied cells, STATISTICS) float32 of one sample, as they are before they are standardised."""
        layout = self.layout(sample, "main")
        values = torch.from_numpy(sample.streams["main"])[None]
        coords, valid = torch.from_numpy(layout.coords)[None], torch.from_numpy(layout.valid)[None]
        return self.statistics(values, None, coords, valid)[0].numpy()[layout.channel == OCCUPIED]

    def layout(self, sample: Sample, stream: str) -> Layout:
        points, cell = sample.streams[stream], self.settings.cell
        if sample.meta.get("cell", cell) != cell:
            raise DataError(
                f"{sample.id}: the view hides cells of {sample.meta['cell']} m, tokens are of {cell} m; set views.cell to {cell}"
            )
        placed = np.isfinite(points[:, :2]).all(axis=1)
        there = placed & np.isfinite(points[:, 2])
        if not placed.any():
            raise DataError(f"{sample.id}: none of {len(points)} points has a finite place; leave the sweep out")
        if np.abs(points[placed, :2]).max() >= HALF * cell:
            raise DataError(
                f"{sample.id}: a point lies {np.abs(points[placed, :2]).max():.3g} m away; coordinates must be metres from the sensor"
            )
        occupied = np.unique(keys_of(cells_of(points[there], cell)))
        empty = np.setdiff1d(keys_of(cells_of(points[placed & ~there], cell)), occupied)
        keys = np.sort(np.concatenate([occupied, empty]))
        return Layout(
            coords=centres(keys, cell),
            valid=np.ones(len(keys), dtype=bool),
            channel=np.where(np.isin(keys, empty), EMPTY, OCCUPIED).astype(np.int16),
            axes=self.axes,
        )

    def forward(self, raw: Raw) -> Tokens:
        if raw.coords is None or raw.valid is None or raw.channel is None:
            raise ValueError("the cell tokenizer needs a batch with layouts")
        found = (self.statistics(raw.values, raw.extent, raw.coords, raw.valid) - self.mean.float()) / self.std.float()
        x = self.embed(found.clamp(-10, 10).to(self.empty.dtype))
        x = torch.where((raw.channel == EMPTY)[..., None], self.empty.to(x.dtype), x)
        return Tokens(x, raw.coords, raw.valid, raw.channel, order=raw.order)

    def statistics(self, values: Tensor, extent: Tensor | None, coords: Tensor, valid: Tensor) -> Tensor:
        """(B, N, STATISTICS) float32 of the points (B, P, 4) of each cell (B, N); zeros for a cell without any."""
        points, owner, there = self._owners(values.float(), extent, coords, valid)
        count = coords.shape[0] * coords.shape[1]
        place = torch.where(there, owner, count)  # points of no cell go into one more, which is cut off
        away = (points[..., :2] - coords.reshape(-1, 2)[owner.clamp_max(count - 1)]) / self.settings.cell
        height, strength = points[..., 2:3], points[..., 3:4]
        each = torch.cat((away, height, strength), dim=-1)
        mass = each.new_zeros(count + 1, 1).index_add(0, place, there[:, None].float())[:count]
        share = 1.0 / mass.clamp_min(1.0)
        mean = each.new_zeros(count + 1, 4).index_add(0, place, each)[:count] * share
        apart = (each - mean[owner.clamp_max(count - 1)]).square()
        spread = (each.new_zeros(count + 1, 4).index_add(0, place, apart)[:count] * share + 1e-6).sqrt()
        reach = torch.cat((height, -height, strength), dim=-1)
        extreme = each.new_full((count + 1, 3), -1e4).scatter_reduce(0, place[:, None].expand(-1, 3), reach, "amax")[:count]
        slices = each.new_zeros(count + 1, SLICES).index_add(0, place, self._slices(height[:, 0]))[:count] * share
        found = torch.cat((mass.log1p(), mean, spread, extreme, extreme[:, :1] + extreme[:, 1:2], slices), dim=-1)
        return torch.where(mass > 0, found, 0.0).unflatten(0, coords.shape[:2])

    def _slices(self, height: Tensor) -> Tensor:
        """(P, SLICES): in which slice of height a point lies, the outer ones being open."""
        low, high = self.settings.floor, self.settings.ceiling
        number = ((height - low) / (high - low) * SLICES).floor().clamp(0, SLICES - 1).long()
        return nn.functional.one_hot(number, SLICES).float()

    def _owners(self, values: Tensor, extent: Tensor | None, coords: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """All points in a row (B * P, 4), finite; the number of the token that each belongs to; and whether it belongs to any."""
        rows, points = values.shape[:2]
        there = torch.isfinite(values[..., :3]).all(-1)
        if extent is not None:
            there = there & (torch.arange(points, device=values.device) < extent[:, :1])
        values = torch.nan_to_num(values, posinf=0.0, neginf=0.0)
        token = torch.where(valid, self._keys(coords), torch.iinfo(torch.int64).max)
        point = self._keys(values[..., :2].detach())
        found = torch.searchsorted(token, point).clamp_max(token.shape[1] - 1)
        there = there & (token.gather(1, found) == point)
        first = torch.arange(rows, device=values.device)[:, None] * token.shape[1]
        return rearrange(values, "b p c -> (b p) c"), (found + first).flatten(), there.flatten()

    def _keys(self, places: Tensor) -> Tensor:
        """As `cells.keys_of`, of x and y (B, n, 2) float32."""
        cells = (places / torch.tensor(self.settings.cell, dtype=torch.float32, device=places.device)).floor().long()
        return (cells[..., 0] + HALF) * (2 * HALF) + cells[..., 1] + HALF


STATISTICS = 1 + 4 + 4 + 3 + 1 + SLICES
"""Logarithm of the count; mean and spread of x, y, height, intensity; highest, minus lowest, brightest; height range; slices."""
