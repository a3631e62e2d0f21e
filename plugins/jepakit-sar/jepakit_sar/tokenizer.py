"""Square patches of radar amplitude as tokens. A patch without data is no token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from einops import reduce
from pydantic import Field
from torch import Tensor, nn

from jepakit.sdk import DataError, Layout, Raw, Sample, Settings, Tokenizer, Tokens, channel_moments, grid_layout, patch_counts, patchify

INIT_STD = 0.02
"""Truncated normal, as all linear layers of the encoder (I-JEPA, arXiv 2301.08243, appendix A)."""
FLOOR = 1e-3
"""Share of the mean amplitude below which the logarithm goes flat, so that shadows of zero amplitude stay finite."""


class SarTokenizerSettings(Settings):
    """Options of the tokenizer."""

    patch: int = Field(8, ge=1, description="side of a patch in pixels")
    scale: Literal["auto", "linear", "log"] = Field(
        "auto", description="what the network sees; auto = linear for 8-bit chips, which were stretched already, log for all else"
    )
    min_valid: float = Field(0.5, gt=0, le=1, description="share of pixels with data below which a patch is no token")


class SarTokenizer(Tokenizer):
    """Non-overlapping patches → a linear map, of amplitudes standardised by statistics fitted on training samples.

    coords are (row, column) in patches, axes "y" and "x". Pixels without data (NaN) count as average ones.
    """

    axes = ("y", "x")
    mean: Tensor
    std: Tensor
    floor: Tensor

    def __init__(self, settings: SarTokenizerSettings, *, width: int, spec: Mapping[str, Any]) -> None:
        super().__init__()
        self.width, self.patch, self.min_valid = width, settings.patch, settings.min_valid
        self.channels = int(spec["channels"])
        self.log = settings.scale == "log" or (settings.scale == "auto" and spec.get("dtype") != "uint8")
        self.register_buffer("mean", torch.zeros(self.channels))
        self.register_buffer("std", torch.ones(self.channels))
        self.register_buffer("floor", torch.ones(self.channels))
        self.proj = nn.Linear(self.channels * settings.patch**2, width)
        nn.init.trunc_normal_(self.proj.weight, std=INIT_STD)
        nn.init.zeros_(self.proj.bias)

    def fit(self, samples: Sequence[Sample]) -> None:
        """Mean and standard deviation of each channel over all pixels that have data, after the logarithm if there is one."""
        average, _ = channel_moments((sample.streams["main"] for sample in samples), self.channels)
        self.floor.copy_(torch.from_numpy(np.maximum(average * FLOOR, 1e-30)))
        mean, spread = channel_moments((self._seen(sample.streams["main"]) for sample in samples), self.channels)
        self.mean.copy_(torch.from_numpy(mean))
        self.std.copy_(torch.from_numpy(np.maximum(spread, 1e-8)))

    def layout(self, sample: Sample, stream: str) -> Layout | None:
        image = sample.streams[stream]
        rows, columns = patch_counts(image.shape, (self.patch, self.patch))
        if not rows or not columns:
            raise DataError(
                f"{sample.id}: {image.shape[1]} x {image.shape[2]} pixels hold no patch of {self.patch}; set tokenizer.patch lower"
            )
        whole = grid_layout((rows, columns), self.axes)
        if image.dtype.kind != "f":
            return whole
        known = np.isfinite(image[:, : rows * self.patch, : columns * self.patch]).all(axis=0)
        if known.all():
            return whole
        share = reduce(known.astype(np.float32), "(h p) (w q) -> (h w)", "mean", p=self.patch, q=self.patch)
        return Layout(whole.coords, share >= self.min_valid, whole.channel, axes=whole.axes, grid=whole.grid)

    def forward(self, raw: Raw) -> Tokens:
        if raw.coords is None or raw.valid is None or raw.channel is None:
            raise ValueError("the patch tokenizer needs a batch with layouts")
        pixels = patchify(self.scaled(raw.values), (self.patch, self.patch), raw.extent)
        x = self.proj(pixels.to(self.proj.weight.dtype))
        return Tokens(x, raw.coords, raw.valid, raw.channel, grid=raw.grid, order=raw.order)

    def continuous(self, raw: Raw) -> Raw:
        """Amplitudes as float32, in the unit that they are stored in."""
        return replace(raw, values=raw.values.float())

    def _seen(self, image: np.ndarray) -> np.ndarray:
        """(C, H, W) amplitudes → what is standardised."""
        return np.log(np.maximum(image, 0.0) + self.floor.double().numpy()[:, None, None]) if self.log else image

    def scaled(self, images: Tensor) -> Tensor:
        """(B, C, H, W) amplitudes → float32, standardised, 0 where there are no data."""
        values = images.float()
        if self.log:
            values = torch.log(values.clamp_min(0.0) + self.floor[:, None, None])
        values = (values - self.mean[:, None, None]) / self.std[:, None, None]
        return torch.nan_to_num(values, nan=0.0) if images.is_floating_point() else values
