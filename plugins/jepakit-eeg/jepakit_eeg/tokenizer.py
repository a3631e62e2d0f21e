"""Patches of one electrode as tokens: their logarithmic power spectrum, or their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from jepakit.sdk import DataError, Layout, Raw, Sample, Settings, Tokenizer, Tokens
from jepakit_eeg.places import AXES, eeg_layout, packed, patches

INIT_STD = 0.02
"""Truncated normal, as all linear layers of the encoder (I-JEPA, arXiv 2301.08243, appendix A)."""
QUIET = 1e-6
"""Power, as a share of the training data's, that is added before the logarithm: a flat electrode has a floor instead of -inf."""


class EegSettings(Settings):
    """Options of the tokenizer."""

    patch: float = Field(1.0, gt=0, description="seconds of a patch")
    content: Literal["spectrum", "waveform"] = Field("spectrum", description="what a token is made of")
    highest: float = Field(50.0, gt=0, description="spectrum: highest frequency kept, in hertz")
    tapers: int = Field(3, ge=1, description="spectrum: sine tapers whose spectra are averaged; more are smoother and less sharp")
    floor: float = Field(QUIET, gt=0, description="spectrum: power added before the logarithm, as a share of the mean training power")
    min_valid: float = Field(0.5, gt=0, le=1, description="share of known values below which a patch is no token")


class EegTokenizer(Tokenizer):
    """Non-overlapping patches of each electrode → a linear map of content and of how much is missing.

    coords: (time in patches, right, front, up), so that any montage, any order of channels and any choice of them is the same thing: an
    electrode is told apart by where it sits. Statistics are those of all electrodes together.

    The spectrum is the mean over sine tapers (Riedel and Sidorenko 1995, Minimum bias multiple taper spectral estimation, section III),
    which use every sample of a patch, where one bell-shaped window forgets its ends and would need overlapping patches, whose tokens would
    tell each other what is hidden.
    """

    level: Tensor
    spread: Tensor
    power: Tensor
    tapers: Tensor
    axes = AXES

    def __init__(self, settings: EegSettings, *, width: int, spec: Mapping[str, Any]) -> None:
        super().__init__()
        rate = spec.get("rate_hz")
        if rate is None:
            raise DataError("the recordings have no rate, and a patch is a length in seconds; add sfreq to the file")
        self.settings, self.width, self.patch = settings, width, max(2, round(settings.patch * float(rate)))
        self.spectral = settings.content == "spectrum"
        bins = min(self.patch // 2, int(settings.highest * self.patch / float(rate))) + 1
        self.features = bins if self.spectral else self.patch
        self.register_buffer("tapers", sine_tapers(self.patch, settings.tapers), persistent=False)
        self.register_buffer("power", torch.ones(()))
        self.register_buffer("level", torch.zeros(self.features if self.spectral else 1))
        self.register_buffer("spread", torch.ones(self.features if self.spectral else 1))
        self.proj = nn.Linear(self.features + (1 if self.spectral else self.patch), width)
        nn.init.trunc_normal_(self.proj.weight, std=INIT_STD)
        nn.init.zeros_(self.proj.bias)

    @torch.no_grad()
    def fit(self, samples: Sequence[Sample]) -> None:
        """Mean and spread of the values, or of the logarithm of every frequency's power, over all known patches."""
        self.power.fill_(1.0)
        self.level.zero_()
        self.spread.fill_(1.0)
        parts = [patches(Raw(torch.from_numpy(np.ascontiguousarray(one.streams["main"]))[None]), self.patch) for one in samples]
        if self.spectral:
            spectra = [self._power(values, known)[known.float().mean(-1) >= self.settings.min_valid] for values, known in parts]
            rows = torch.cat(spectra)
            self.power.copy_(rows.mean().clamp_min(1e-30))
            rows = self._logarithm(rows)
        else:
            rows = torch.cat([values[known] for values, known in parts])[:, None]
        self.level.copy_(rows.mean(0))
        self.spread.copy_(rows.std(0).clamp_min(1e-6))

    def layout(self, sample: Sample, stream: str) -> Layout | None:
        return eeg_layout(sample, stream, self.patch, self.settings.min_valid)

    def forward(self, raw: Raw) -> Tokens:
        if raw.coords is None or raw.valid is None or raw.channel is None:
            raise ValueError("the EEG tokenizer needs a batch with layouts")
        values, known = patches(raw, self.patch)
        if self.spectral:
            content = (self._logarithm(self._power(values, known)) - self.level) / self.spread
            missing = 1.0 - known.float().mean(-1, keepdim=True)
        else:
            content = torch.where(known, (values - self.level) / self.spread, 0.0)
            missing = (~known).float()
        x = self.proj(torch.cat((content, missing), dim=-1).to(self.proj.weight.dtype))
        return Tokens(packed(x, raw, self.patch), raw.coords, raw.valid, raw.channel, grid=raw.grid, order=raw.order)

    def _power(self, values: Tensor, known: Tensor) -> Tensor:
        """(B, C, n, p) → (B, C, n, F), mean over tapers, of the patch without its mean; as large as if nothing were missing."""
        count = known.sum(-1, keepdim=True).clamp_min(1)
        centred = torch.where(known, values - values.sum(-1, keepdim=True) / count, 0.0)
        spectra = torch.view_as_real(torch.fft.rfft(centred[..., None, :] * self.tapers.float()))
        return spectra.square().sum(-1).mean(-2)[..., : self.features] * (known.shape[-1] / count)

    def _logarithm(self, power: Tensor) -> Tensor:
        return (power / self.power.float() + self.settings.floor).log()


def sine_tapers(length: int, count: int) -> Tensor:
    """(count, length) float32, each of unit energy: sqrt(2 / (L + 1)) sin(pi k n / (L + 1)), k and n from 1."""
    place = torch.arange(1, length + 1, dtype=torch.float64) * torch.pi / (length + 1)
    number = torch.arange(1, count + 1, dtype=torch.float64)[:, None]
    return ((2 / (length + 1)) ** 0.5 * torch.sin(number * place)).float()
