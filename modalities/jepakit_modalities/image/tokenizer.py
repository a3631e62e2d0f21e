"""Square patches as tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from einops import rearrange
from pydantic import Field
from torch import Tensor, nn

from jepakit.sdk import DataError, Layout, Raw, Sample, Settings, Tokenizer, Tokens

INIT_STD = 0.02
"""Truncated normal, as all linear layers of the encoder (I-JEPA, arXiv 2301.08243, appendix A)."""


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
        total, squares, count = (np.zeros(self.channels) for _ in range(3))
        for sample in samples:
            image = np.asarray(sample.streams["main"], dtype=np.float64) / full_scale(sample.streams["main"].dtype)
            known = np.isfinite(image)
            image = np.where(known, image, 0.0)
            total += image.sum(axis=(1, 2))
            squares += np.square(image).sum(axis=(1, 2))
            count += known.sum(axis=(1, 2))
        mean = total / np.maximum(count, 1)
        self.mean.copy_(torch.from_numpy(mean))
        self.std.copy_(torch.from_numpy(np.sqrt(np.maximum(squares / np.maximum(count, 1) - mean**2, 1e-8))))

    def layout(self, sample: Sample, stream: str) -> Layout | None:
        _, height, width = sample.streams[stream].shape
        rows, columns = height // self.patch, width // self.patch
        if not rows or not columns:
            raise DataError(f"{sample.id}: {height} x {width} pixels hold no patch of {self.patch}; set tokenizer.patch lower or resize")
        return grid_layout(rows, columns)

    def forward(self, raw: Raw) -> Tokens:
        if raw.coords is None or raw.valid is None or raw.channel is None:
            raise ValueError("the patch tokenizer needs a batch with layouts")
        patches = self._ragged(raw) if raw.extent is not None else self._patches(raw.values)
        x = self.proj(patches.to(self.proj.weight.dtype))
        return Tokens(x, raw.coords, raw.valid, raw.channel, grid=raw.grid, order=raw.order)

    def continuous(self, raw: Raw) -> Raw:
        return replace(raw, values=raw.values.float() / full_scale(raw.values.dtype))

    def _patches(self, images: Tensor) -> Tensor:
        """(B, C, H, W) as stored → (B, N, C * patch * patch) float32, standardised."""
        rows, columns = images.shape[2] // self.patch, images.shape[3] // self.patch
        whole = images[:, :, : rows * self.patch, : columns * self.patch]
        shift, scale = self.mean[:, None, None], self.std[:, None, None]
        pixels = (whole.float() / full_scale(images.dtype) - shift) / scale
        return rearrange(pixels, "b c (h p) (w q) -> b (h w) (c p q)", p=self.patch, q=self.patch)

    def _ragged(self, raw: Raw) -> Tensor:
        """Images of different sizes: each is cut by itself, short ones padded with zeros behind their last patch."""
        assert raw.extent is not None
        assert raw.coords is not None
        out = raw.values.new_zeros((len(raw.values), raw.coords.shape[1], self.proj.in_features), dtype=torch.float32)
        for row, (image, size) in enumerate(zip(raw.values, raw.extent.tolist())):
            patches = self._patches(image[None, :, : size[1], : size[2]])[0]
            out[row, : len(patches)] = patches
        return out


def full_scale(dtype: np.dtype[Any] | torch.dtype) -> float:
    """The largest value of an integer format, so that pixels become [0, 1]; 1 for floating point, which is left as it is."""
    return {"uint8": 255.0, "uint16": 65535.0}.get(str(dtype).removeprefix("torch."), 1.0)


@lru_cache(maxsize=256)
def grid_layout(rows: int, columns: int) -> Layout:
    """The layout of a full grid in raster order; the same object for the same size, so that a batch of one size is seen to be one."""
    place = np.indices((rows, columns), dtype=np.float32)
    count = rows * columns
    return Layout(
        coords=np.ascontiguousarray(rearrange(place, "k h w -> (h w) k")),
        valid=np.ones(count, dtype=bool),
        channel=np.zeros(count, dtype=np.int16),
        axes=("y", "x"),
        grid=(rows, columns),
    )
