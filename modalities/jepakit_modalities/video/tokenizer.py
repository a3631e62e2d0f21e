"""Boxes of pixels over several frames as tokens (tubelets, ViViT, arXiv 2103.15691, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from jepakit.sdk import DataError, Layout, Raw, Sample, Settings, Tokenizer, Tokens, channel_moments, grid_layout, patch_counts, patchify
from jepakit_modalities.image.tokenizer import INIT_STD, LEAST_SPREAD, full_scale, unit


class TubeletSettings(Settings):
    """Defaults: V-JEPA (arXiv 2404.08471), section 3.3."""

    frames: int = Field(2, ge=1, description="frames of a tubelet")
    patch: int = Field(16, ge=1, description="side of a tubelet in pixels")


class TubeletTokenizer(Tokenizer):
    """Non-overlapping boxes → a linear map, the same as a 3-D convolution with kernel and stride of the box.

    Pixels are standardised per channel by statistics fitted on training clips. What does not fill a box at the end of an axis is left out.
    coords are (frame, row, column) in tubelets, axes "t", "y" and "x".
    """

    axes = ("t", "y", "x")
    mean: Tensor
    std: Tensor

    def __init__(self, settings: TubeletSettings, *, width: int, spec: Mapping[str, Any]) -> None:
        super().__init__()
        self.width, self.box = width, (settings.frames, settings.patch, settings.patch)
        self.channels = int(spec["channels"])
        self.register_buffer("mean", torch.full((self.channels,), 0.5))
        self.register_buffer("std", torch.full((self.channels,), 0.25))
        self.proj = nn.Linear(self.channels * settings.frames * settings.patch**2, width)
        nn.init.trunc_normal_(self.proj.weight, std=INIT_STD)
        nn.init.zeros_(self.proj.bias)

    def fit(self, samples: Sequence[Sample]) -> None:
        """Mean and standard deviation of each channel over the finite pixels of all clips."""
        mean, spread = channel_moments((unit(sample.streams["main"]) for sample in samples), self.channels)
        self.mean.copy_(torch.from_numpy(mean))
        self.std.copy_(torch.from_numpy(np.maximum(spread, LEAST_SPREAD)))

    def layout(self, sample: Sample, stream: str) -> Layout | None:
        shape = sample.streams[stream].shape
        counts = patch_counts(shape, self.box)
        if min(counts) < 1:
            raise DataError(
                f"{sample.id}: {shape[1]} frames of {shape[2]} x {shape[3]} pixels hold no tubelet of {self.box[0]} frames and "
                f"{self.box[1]} pixels; set tokenizer.frames or tokenizer.patch lower, or ::frames and ::size higher"
            )
        return grid_layout(counts, self.axes)

    def forward(self, raw: Raw) -> Tokens:
        if raw.coords is None or raw.valid is None or raw.channel is None:
            raise ValueError("the tubelet tokenizer needs a batch with layouts")
        shift, scale = self.mean[:, None, None, None], self.std[:, None, None, None]
        pixels = (raw.values.float() / full_scale(raw.values.dtype) - shift) / scale
        patches = patchify(pixels, self.box, raw.extent)
        x = self.proj(patches.to(self.proj.weight.dtype))
        return Tokens(x, raw.coords, raw.valid, raw.channel, grid=raw.grid, order=raw.order)

    def continuous(self, raw: Raw) -> Raw:
        return replace(raw, values=raw.values.float() / full_scale(raw.values.dtype))
