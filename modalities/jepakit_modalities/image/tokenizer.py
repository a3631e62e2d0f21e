"""Square patches as tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from jepakit.sdk import DataError, Layout, Raw, Sample, Settings, Tokenizer, Tokens, channel_moments, grid_layout, patch_counts, patchify

INIT_STD = 0.02
"""Truncated normal, as all linear layers of the encoder (I-JEPA, arXiv 2301.08243, appendix A)."""
LEAST_SPREAD = 1e-4
"""Of a channel that never changes."""


class PatchSettings(Settings):
    """Options of the patch tokenizer."""

    patch: int = Field(8, ge=1, description="side of a patch in pixels; an image holds (H // patch) x (W // patch) of them")


class PatchTokenizer(Tokenizer):
    """Non-overlapping patches → a linear map. The same as a convolution with kernel and stride `patch`, and faster on a CPU.

    Pixels are standardised per channel by statistics fitted on training images. Rows and columns of pixels at the lower and right
    edge that do not fill a patch are left out. coords are (row, column) in patches, axes "y" and "x".
    """

    axes = ("y", "x")
    mean: Tensor
    std: Tensor

    def __init__(self, settings: PatchSettings, *, width: int, spec: Mapping[str, Any]) -> None:
        super().__init__()
        self.width, self.patch = width, settings.patch
        self.channels = int(spec["channels"])
        self.register_buffer("mean", torch.full((self.channels,), 0.5))
        self.register_buffer("std", torch.full((self.channels,), 0.25))
        self.proj = nn.Linear(self.channels * settings.patch**2, width)
        nn.init.trunc_normal_(self.proj.weight, std=INIT_STD)
        nn.init.zeros_(self.proj.bias)

    def fit(self, samples: Sequence[Sample]) -> None:
        """Mean and standard deviation of each channel over the finite pixels of all samples."""
        mean, spread = channel_moments((unit(sample.streams["main"]) for sample in samples), self.channels)
        self.mean.copy_(torch.from_numpy(mean))
        self.std.copy_(torch.from_numpy(np.maximum(spread, LEAST_SPREAD)))

    def layout(self, sample: Sample, stream: str) -> Layout | None:
        shape = sample.streams[stream].shape
        counts = patch_counts(shape, (self.patch, self.patch))
        if min(counts) < 1:
            raise DataError(
                f"{sample.id}: {shape[1]} x {shape[2]} pixels hold no patch of {self.patch}; set tokenizer.patch lower or resize"
            )
        return grid_layout(counts, self.axes)

    def forward(self, raw: Raw) -> Tokens:
        if raw.coords is None or raw.valid is None or raw.channel is None:
            raise ValueError("the patch tokenizer needs a batch with layouts")
        shift, scale = self.mean[:, None, None], self.std[:, None, None]
        pixels = (raw.values.float() / full_scale(raw.values.dtype) - shift) / scale
        patches = patchify(pixels, (self.patch, self.patch), raw.extent)
        x = self.proj(patches.to(self.proj.weight.dtype))
        return Tokens(x, raw.coords, raw.valid, raw.channel, grid=raw.grid, order=raw.order)

    def continuous(self, raw: Raw) -> Raw:
        return replace(raw, values=raw.values.float() / full_scale(raw.values.dtype))


def full_scale(dtype: np.dtype[Any] | torch.dtype) -> float:
    """The largest value of an integer format, so that pixels become [0, 1]; 1 for floating point, which is left as it is."""
    return {"uint8": 255.0, "uint16": 65535.0}.get(str(dtype).removeprefix("torch."), 1.0)


def unit(pixels: np.ndarray) -> np.ndarray:
    """Pixels as stored → float64, integer formats in [0, 1]."""
    return np.asarray(pixels, dtype=np.float64) / full_scale(pixels.dtype)
