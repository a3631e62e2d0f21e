"""Signal-JEPA's tokens: a small convolutional network on each electrode by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from einops import rearrange
from pydantic import Field
from torch import Tensor, nn

from jepakit.sdk import DataError, Layout, Raw, Sample, Settings, Tokenizer, Tokens
from jepakit_eeg.places import AXES, eeg_layout, packed, patches

WIDTHS = (8, 16, 32, 64, 64)
"""Channels of the five layers (Guetschel et al. 2024, arXiv 2403.11772, section 2)."""
LAST = 16
"""Steps that the first layer leaves of a patch, as at the paper's 128 Hz; four layers of stride two make one of them."""


class ConvSettings(Settings):
    """Options of the tokenizer."""

    patch: float = Field(1.0, gt=0, description="seconds of a patch; at the data's rate a multiple of 16 samples")
    min_valid: float = Field(0.5, gt=0, le=1, description="share of known values below which a patch is no token")


class ConvTokenizer(Tokenizer):
    """One token a second of each electrode: five convolutions, the first with group norm, GELU between them.

    Unlike the paper's, whose tokens reach 0.19 s into the next one, patches do not overlap: a context can't show what is asked. At 128 Hz
    strides and widths are the paper's; at other rates the first layer's kernel and stride grow, so that a token stays a second.
    """

    level: Tensor
    spread: Tensor
    axes = AXES

    def __init__(self, settings: ConvSettings, *, width: int, spec: Mapping[str, Any]) -> None:
        super().__init__()
        rate = float(spec.get("rate_hz") or 0.0)
        self.settings, self.width, self.patch = settings, width, round(settings.patch * rate)
        if self.patch < 2 * LAST or self.patch % LAST:
            raise DataError(
                f"a patch of {settings.patch:g} s is {self.patch} samples; expected a multiple of 16, at least 32: set ::rate=128"
            )
        self.register_buffer("level", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))
        stride = self.patch // LAST
        first = nn.Conv1d(2, WIDTHS[0], 4 * stride, stride, bias=False)
        layers: list[nn.Module] = [first, nn.GroupNorm(WIDTHS[0], WIDTHS[0]), nn.GELU()]
        for before, after in pairwise(WIDTHS):
            layers += [nn.Conv1d(before, after, 2, 2, bias=False), nn.GELU()]
        self.edge = (3 * stride // 2, 3 * stride - 3 * stride // 2)
        self.layers = nn.Sequential(*layers)
        self.proj = nn.Linear(WIDTHS[-1], width)

    def fit(self, samples: Sequence[Sample]) -> None:
        """Mean and spread of all known values."""
        joined = np.concatenate([np.asarray(one.streams["main"], dtype=np.float64).ravel() for one in samples])
        known = joined[np.isfinite(joined)]
        self.level.fill_(float(known.mean()) if known.size else 0.0)
        self.spread.fill_(max(float(known.std()), 1e-12) if known.size else 1.0)

    def layout(self, sample: Sample, stream: str) -> Layout | None:
        return eeg_layout(sample, stream, self.patch, self.settings.min_valid)

    def forward(self, raw: Raw) -> Tokens:
        if raw.coords is None or raw.valid is None or raw.channel is None:
            raise ValueError("the EEG tokenizer needs a batch with layouts")
        values, known = patches(raw, self.patch)
        content = torch.where(known, (values - self.level) / self.spread, 0.0)
        both = rearrange(torch.stack((content, (~known).float()), dim=-2), "b c n k p -> (b c n) k p")
        hidden = self.layers(nn.functional.pad(both.to(self.proj.weight.dtype), self.edge))
        x = rearrange(self.proj(hidden.squeeze(-1)), "(b c n) d -> b c n d", b=len(values), c=values.shape[1])
        return Tokens(packed(x, raw, self.patch), raw.coords, raw.valid, raw.channel, grid=raw.grid, order=raw.order)
