"""Patches along time as tokens: of all channels together, or of each channel by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, Self

import numpy as np
import torch
from einops import rearrange, reduce
from pydantic import Field, model_validator
from torch import Tensor, nn

from jepakit.sdk import DataError, Layout, Raw, Sample, Settings, Tokenizer, Tokens
from jepakit_modalities.timeseries.spectra import log_power

INIT_STD = 0.02
"""Truncated normal, as all linear layers of the encoder (I-JEPA, arXiv 2301.08243, appendix A)."""

SAME_RATE = 1e-3
"""Share by which rates may differ: clocks of recorders, and rates rounded in files."""


class SeriesSettings(Settings):
    """Options of the tokenizer."""

    patch: int = Field(16, ge=1, description="steps of a patch")
    channels: Literal["joint", "independent"] = Field(
        "joint", description="joint: a token holds all channels, whose number is fixed; independent: a token holds one, any number of them"
    )
    norm: Literal["train", "instance", "centre", "none"] = Field(
        "train", description="train: channels standardised as in training; instance: each by its own series; centre: minus its mean only"
    )
    min_valid: float = Field(0.5, gt=0, le=1, description="share of known values below which a patch is no token")
    spectrum: bool = Field(False, description="the logarithm of the patch's power spectrum in place of its values")
    envelope: bool = Field(False, description="spectrum of the steepness of the patch: how often events come, whatever their shape")
    bins: int = Field(0, ge=0, description="lowest frequencies of the spectrum that are kept; 0 = all")
    rate_hz: float | None = Field(None, gt=0, description="the rate that `patch` and `bins` were chosen for; None = any")

    @model_validator(mode="after")
    def _of_a_spectrum(self) -> Self:
        if (self.envelope or self.bins) and not self.spectrum:
            raise ValueError("envelope and bins are of a spectrum: set tokenizer.spectrum=true as well")
        return self

    def features(self) -> int:
        """Numbers that a patch of one channel has."""
        if not self.spectrum:
            return self.patch
        every = self.patch // 2 + 1
        return min(every, self.bins or every)


class SeriesTokenizer(Tokenizer):
    """Non-overlapping patches → a linear map of values and of flags that say which are missing.

    coords: (time in patches,) when joint, (time in patches, number of the channel) when independent. A last patch that is at least
    `min_valid` full is a token. Under "instance" and "centre" the statistics of a series count as constants; they do see hidden
    patches, by one or two numbers a channel.
    """

    mean: Tensor
    std: Tensor
    level: Tensor
    spread: Tensor

    def __init__(self, settings: SeriesSettings, *, width: int, spec: Mapping[str, Any]) -> None:
        super().__init__()
        self.settings, self.width, self.patch = settings, width, settings.patch
        self.joint = settings.channels == "joint"
        self.axes = ("t",) if self.joint else ("t", "channel")
        self._check_rate(spec.get("rate_hz"), "the data have")
        count = spec.get("channels")
        if self.joint and count is None:
            raise DataError("series of different channel counts can't share joint tokens; set tokenizer.channels=independent")
        self.count = int(count or 0)
        size = int(count) if count else 1
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("std", torch.ones(size))
        features = settings.features()
        self.register_buffer("level", torch.zeros(features))
        self.register_buffer("spread", torch.ones(features))
        held = (self.count if self.joint else 1) * features
        self.proj = nn.Linear(2 * held, width)
        nn.init.trunc_normal_(self.proj.weight, std=INIT_STD)
        nn.init.zeros_(self.proj.bias)

    def fit(self, samples: Sequence[Sample]) -> None:
        """Mean and spread of each channel (of all together, when their number varies), then of each frequency, over known values."""
        series = [np.asarray(sample.streams["main"], dtype=np.float64) for sample in samples]
        if not self.count:
            series = [one.reshape(1, -1) for one in series]
        joined = np.concatenate(series, axis=1)
        known = np.isfinite(joined)
        total = np.maximum(known.sum(1), 1)
        mean = np.where(known, joined, 0.0).sum(1) / total
        spread = np.sqrt(np.square(np.where(known, joined - mean[:, None], 0.0)).sum(1) / total)
        self.mean.copy_(torch.from_numpy(mean))
        self.std.copy_(torch.from_numpy(np.where(spread > 1e-8, spread, 1.0)))
        if self.settings.spectrum:
            self._fit_spectrum(samples)

    @torch.no_grad()
    def _fit_spectrum(self, samples: Sequence[Sample]) -> None:
        self.level.zero_()
        self.spread.fill_(1.0)
        rows = []
        for sample in samples:
            values = torch.from_numpy(np.ascontiguousarray(sample.streams["main"], dtype=np.float32))[None]
            content, missing = self._content(values, None)
            rows.append(content[~missing[..., 0]])
        spectra = torch.cat(rows)
        if not len(spectra):
            return  # every patch has a gap
        spread = spectra.std(0, correction=0)
        self.level.copy_(spectra.mean(0))
        self.spread.copy_(torch.where(spread > 1e-6, spread, 1.0))

    def layout(self, sample: Sample, stream: str) -> Layout | None:
        self._check_rate(sample.meta.get("rate_hz"), f"{sample.id} has")
        series = sample.streams[stream]
        if self.count and len(series) != self.count:
            raise DataError(f"{sample.id}: {len(series)} channels, the run was made for {self.count}; choose them with ::channels=a+b")
        count = -(-series.shape[1] // self.patch)
        whole = series_layout(len(series), count, self.joint)
        known = np.isfinite(series)
        if series.shape[1] == count * self.patch and known.all():
            return whole
        share = reduce(
            np.pad(known, ((0, 0), (0, count * self.patch - series.shape[1]))).astype(np.float32), "c (n p) -> c n", "mean", p=self.patch
        )
        valid = share.max(0) >= self.settings.min_valid if self.joint else (share >= self.settings.min_valid).ravel()
        if not valid.any():
            raise DataError(f"{sample.id}: no patch of {self.patch} steps is known by half; set tokenizer.patch lower")
        filled = (*whole.grid[:-1], series.shape[1] / self.patch) if whole.grid else None
        return Layout(whole.coords, valid, whole.channel, axes=self.axes, grid=whole.grid, filled=filled)

    def _check_rate(self, found: float | None, whose: str) -> None:
        """DataError when a patch of this data would last another time; a rate that nobody knows passes."""
        wanted = self.settings.rate_hz
        if wanted is not None and found is not None and abs(found - wanted) > SAME_RATE * wanted:
            raise DataError(
                f"tokenizer.rate_hz: the recipe is for {wanted:g} Hz, {whose} {found:g} Hz; read it with PATH::rate={wanted:g}, which "
                f"resamples, or set tokenizer.rate_hz={found:g} and tokenizer.patch for that"
            )

    def forward(self, raw: Raw) -> Tokens:
        if raw.coords is None or raw.valid is None or raw.channel is None:
            raise ValueError("the series tokenizer needs a batch with layouts")
        content, missing = self._content(raw.values.float(), raw.extent)
        both = torch.cat((content, missing.to(content.dtype)), dim=-1)
        if self.joint:
            x = self.proj(rearrange(both, "b c n p -> b n (c p)").to(self.proj.weight.dtype))
        else:
            x = self._packed(self.proj(both.to(self.proj.weight.dtype)), raw)
        return Tokens(x, raw.coords, raw.valid, raw.channel, grid=raw.grid, order=raw.order)

    def _packed(self, x: Tensor, raw: Raw) -> Tensor:
        """(B, C, n, D) → (B, N, D) in the order of the layouts, whose rows are as long as each sample has patches."""
        assert raw.coords is not None
        if raw.extent is None:
            return rearrange(x, "b c n d -> b (c n) d")
        out = x.new_zeros(len(x), raw.coords.shape[1], self.width)
        for row, (channels, length) in enumerate(raw.extent.tolist()):
            count = -(-length // self.patch)
            out[row, : channels * count] = rearrange(x[row, :channels, :count], "c n d -> (c n) d")
        return out

    def _content(self, values: Tensor, extent: Tensor | None) -> tuple[Tensor, Tensor]:
        """(B, C, T) → standardised values or spectra (B, C, n, F), zero where missing, and flags of what is missing."""
        known = values.isfinite()
        if extent is not None:
            steps = torch.arange(values.shape[2], device=values.device)
            known = known & (steps < extent[:, 1, None].to(values.device))[:, None]
        values = torch.where(known, values, 0.0)
        shift, scale = self._statistics(values, known)
        values = torch.where(known, (values - shift) / scale, 0.0)
        gap = -values.shape[2] % self.patch
        values, known = nn.functional.pad(values, (0, gap)), nn.functional.pad(known, (0, gap))
        patches = rearrange(values, "b c (n p) -> b c n p", p=self.patch)
        missing = ~rearrange(known, "b c (n p) -> b c n p", p=self.patch)
        if not self.settings.spectrum:
            return patches, missing
        power = log_power(patches, ~missing, len(self.level), envelope=self.settings.envelope)
        content = (power - self.level) / self.spread
        return content, missing.any(-1, keepdim=True).expand_as(content)

    @torch.no_grad()
    def _statistics(self, values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """What is subtracted and divided by, (…, C, 1)."""
        if self.settings.norm == "none":
            return values.new_zeros(1, 1), values.new_ones(1, 1)
        if self.settings.norm == "train":
            return self.mean[:, None], self.std[:, None]
        count = known.sum(2, keepdim=True).clamp_min(1)
        mean = values.sum(2, keepdim=True) / count
        if self.settings.norm == "centre":
            return mean, self.std[:, None]
        spread = (torch.where(known, values - mean, 0.0).square().sum(2, keepdim=True) / count).sqrt()
        return mean, torch.where(spread > 1e-6, spread, 1.0)


@lru_cache(maxsize=1024)
def series_layout(channels: int, count: int, joint: bool) -> Layout:
    """The layout without a gap; the same object for the same numbers."""
    if joint:
        coords = np.arange(count, dtype=np.float32)[:, None]
        channel, grid, axes = np.zeros(count, dtype=np.int16), (count,), ("t",)
        return Layout(coords, np.ones(count, dtype=bool), channel, axes=axes, grid=grid)
    place = rearrange(np.indices((channels, count)), "k c n -> (c n) k")
    coords = np.ascontiguousarray(place[:, ::-1].astype(np.float32))
    return Layout(coords, np.ones(len(place), dtype=bool), place[:, 0].astype(np.int16), axes=("t", "channel"), grid=(channels, count))
