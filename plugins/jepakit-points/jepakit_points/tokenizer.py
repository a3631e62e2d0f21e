"""Groups of neighbouring points as tokens: spread-out centres, their nearest points, a small network that forgets their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from jepakit.sdk import Layout, Raw, Sample, Settings, Tokenizer, Tokens
from jepakit_modalities.pointcloud.normal import SMALLEST, unit_sphere
from jepakit_modalities.pointcloud.sampling import farthest, neighbours
from jepakit_points.groups import gathered, nearest
from jepakit_points.sequence import nearest_next

FITTED = 256
"""Training clouds that scales are fitted on: thousands of groups."""


class GroupSettings(Settings):
    """Defaults of Point-JEPA (arXiv 2404.16432), section 4.1, but for widths and `train_points`, which are sized for a CPU."""

    groups: int = Field(64, ge=2, description="tokens of a cloud; fewer when it has fewer points")
    points: int = Field(32, ge=1, description="points of a group")
    train_points: int | None = Field(16, ge=1, description="points of a group in training, every n-th by distance; None = all")
    hidden: tuple[int, int] = Field((128, 128), description="widths of the two layers before and after the first maximum")


class GroupTokenizer(Tokenizer):
    """Clouds in the unit sphere → centres by farthest-point sampling, put into a locality order → k nearest points of each → PointNet.

    coords are the centres, axes "x", "y" and "z", in radii of the cloud. Centres are found on the CPU, in the data worker, where the
    masker needs them; neighbours and network run on the device.
    """

    axes = ("x", "y", "z")
    scale: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, settings: GroupSettings, *, width: int, spec: Mapping[str, Any]) -> None:
        super().__init__()
        self.settings, self.width = settings, width
        self.features = len(spec["columns"]) - 3
        first, second = settings.hidden
        self.register_buffer("scale", torch.tensor(0.1))
        self.register_buffer("mean", torch.zeros(self.features))
        self.register_buffer("std", torch.ones(self.features))
        self.rise = nn.Sequential(nn.Linear(3 + self.features, first), nn.ReLU(), nn.Linear(first, first))
        self.own, self.shared = nn.Linear(first, second), nn.Linear(first, second, bias=False)
        self.out = nn.Linear(second, width)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def fit(self, samples: Sequence[Sample]) -> None:
        """The spread of points about their centre, and mean and spread of every feature."""
        step = max(1, len(samples) // FITTED)
        squares: list[float] = []
        features: list[np.ndarray] = []
        for sample in samples[::step]:
            points = sample.streams["main"]
            place = unit_sphere(points[:, :3])[0]
            centres = place[self._centres(place)]
            near = place[neighbours(place, centres, self.settings.points)] - centres[:, None]
            squares.append(float(np.square(near).mean()))
            features.append(points[:, 3:])
        self.scale.fill_(max(float(np.sqrt(np.mean(squares))), SMALLEST))
        if self.features:
            found = np.concatenate(features).astype(np.float64)
            self.mean.copy_(torch.from_numpy(found.mean(axis=0)))
            self.std.copy_(torch.from_numpy(np.maximum(found.std(axis=0), 1e-6)))

    def layout(self, sample: Sample, stream: str) -> Layout | None:
        place = unit_sphere(np.nan_to_num(sample.streams[stream][:, :3]))[0]
        centres = place[self._centres(place)]
        centres = centres[nearest_next(centres)]
        count = len(centres)
        return Layout(
            coords=np.ascontiguousarray(centres, dtype=np.float32),
            valid=np.ones(count, dtype=bool),
            channel=np.zeros(count, dtype=np.int16),
            axes=self.axes,
            order=np.arange(count, dtype=np.int64),
        )

    def _centres(self, place: np.ndarray) -> np.ndarray:
        """Numbers of the centres; the first is the point farthest out, so that the order of points in the file does not matter."""
        return farthest(place, self.settings.groups, int(np.square(place).sum(axis=1).argmax()))

    def forward(self, raw: Raw) -> Tokens:
        if raw.coords is None or raw.valid is None or raw.channel is None:
            raise ValueError("the group tokenizer needs a batch with layouts")
        with torch.no_grad():
            groups = self._groups(torch.nan_to_num(raw.values.float()), raw.extent, raw.coords)
        x = self._embed(groups.to(self.out.weight.dtype))
        return Tokens(x, raw.coords, raw.valid, raw.channel, order=raw.order)

    def _groups(self, values: Tensor, extent: Tensor | None, centres: Tensor) -> Tensor:
        """(B, N, k, 3 + F): points relative to their centre in units of their spread, and standardised features."""
        counts = None if extent is None else extent[:, 0]
        place = in_unit_sphere(values[..., :3], counts)
        chosen = nearest(place, centres, self.settings.points, counts)
        if self.training and self.settings.train_points is not None:
            chosen = chosen[..., :: max(1, self.settings.points // self.settings.train_points)]
        near = (gathered(place, chosen) - centres[:, :, None]) / self.scale.float()
        if not self.features:
            return near
        features = (values[..., 3:] - self.mean.float()) / self.std.float()
        return torch.cat((near, gathered(features, chosen)), dim=-1)

    def _embed(self, groups: Tensor) -> Tensor:
        """(B, N, k, 3 + F) → (B, N, D): PointNet, with the joined maximum of the second half as two maps added (the same function)."""
        points = self.rise(groups)
        joined = self.own(points) + self.shared(points.amax(dim=2, keepdim=True))
        return self.out(torch.relu(joined)).amax(dim=2)


def in_unit_sphere(points: Tensor, counts: Tensor | None) -> Tensor:
    """(B, P, 3) → mean zero, largest radius one; rows behind the end of a shorter cloud hold anything."""
    if counts is None:
        mean, there = points.mean(dim=1, keepdim=True), None
    else:
        there = (torch.arange(points.shape[1], device=points.device) < counts[:, None])[..., None]
        mean = (points * there).sum(dim=1, keepdim=True) / counts[:, None, None]
    centred = points - mean
    length = centred.norm(dim=-1, keepdim=True)
    radius = (length if there is None else length * there).amax(dim=1, keepdim=True)
    return centred / radius.clamp_min(SMALLEST)
