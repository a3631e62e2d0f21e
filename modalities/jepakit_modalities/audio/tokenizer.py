"""Log-mel patches as tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from einops import rearrange
from pydantic import Field, model_validator
from torch import Tensor, nn

from jepakit.sdk import ConfigError, DataError, Layout, Raw, Sample, Settings, Tokenizer, Tokens, grid_layout
from jepakit_modalities.audio.spectrum import FLOOR, LOW_HZ, WINDOW_S, log_mel, mel_filters

INIT_STD = 0.02
"""Truncated normal, as all linear layers of the encoder (I-JEPA, arXiv 2301.08243, appendix A)."""
AXES = ("t", "mel")


class LogMelSettings(Settings):
    """Options of the log-mel tokenizer. Defaults: a token is a full-height strip of 40 ms, 40 bands by 4 frames."""

    mels: int = Field(40, ge=1, description="mel bands")
    height: int | None = Field(None, ge=1, description="bands a token; must divide mels; None = all, so that a token is a strip of time")
    frames: int = Field(4, ge=1, description="frames a token")
    token_s: float = Field(0.04, gt=0, description="duration of a token in seconds; its frames are spread evenly inside it")
    window_s: float = Field(WINDOW_S, gt=0, description="duration of a frame in seconds, at most that of a token")
    low_hz: float = Field(LOW_HZ, ge=0, description="lower end of the lowest band")
    high_hz: float | None = Field(None, gt=0, description="upper end of the highest band; None = half the rate")
    floor: float = Field(FLOOR, gt=0, description="power, of full scale one, that is added before the logarithm")
    centre: bool = Field(False, description="each band minus its mean over the clip, which takes away the colour of voice and microphone")
    mono: bool = Field(False, description="channels are added up before the spectrum, so that their number may vary")
    rate_hz: int | None = Field(None, ge=1, description="the rate that data must have; None = whatever it has")

    @model_validator(mode="after")
    def pieces_fit(self) -> LogMelSettings:
        if self.height is not None and self.mels % self.height:
            raise ValueError(f"height {self.height} must divide mels {self.mels}")
        if self.window_s > self.token_s:
            raise ValueError(f"a frame of {self.window_s:g} s does not fit into a token of {self.token_s:g} s")
        return self


class LogMelTokenizer(Tokenizer):
    """Patches of a log-mel spectrogram → a linear map; each band standardised by statistics fitted on training clips.

    Frames of a token lie inside of it, so that no sample of the waveform is in two tokens of different times: frames that overlap across
    tokens, as in an ordinary spectrogram, would show the encoder a part of what it is asked to predict. Samples at the end that fill no
    token are left out. A token with a missing (not finite) sample is not valid. The means of `centre` count as constants; they do see
    hidden tokens, by one number a band. coords are (time, band) in tokens, axes "t" and "mel".
    """

    axes = AXES
    mean: Tensor
    std: Tensor
    filters: Tensor

    def __init__(self, settings: LogMelSettings, *, width: int, spec: Mapping[str, Any]) -> None:
        super().__init__()
        self.width, self.settings = width, settings
        self.channels, self.rate_hz = 1 if settings.mono else int(spec["channels"]), int(spec["rate_hz"])
        if settings.rate_hz not in (None, self.rate_hz):
            raise ConfigError(
                f"tokenizer.rate_hz: the recipe wants {settings.rate_hz} Hz, the data has {self.rate_hz} Hz; read it with "
                f"PATH::rate_hz={settings.rate_hz}, which resamples"
            )
        self.length, self.window = round(settings.token_s * self.rate_hz), round(settings.window_s * self.rate_hz)
        if self.window < 2:
            raise ConfigError(
                f"tokenizer.window_s: {settings.window_s:g} s are {self.window} samples at {self.rate_hz} Hz; use longer frames"
            )
        self.height = settings.height or settings.mels
        self.bands = settings.mels // self.height
        high = settings.high_hz or self.rate_hz / 2
        self.register_buffer("filters", mel_filters(self.rate_hz, self.window, settings.mels, settings.low_hz, high).clone())
        self.register_buffer("mean", torch.full((settings.mels,), -8.0))
        self.register_buffer("std", torch.full((settings.mels,), 3.0))
        self.proj = nn.Linear(self.channels * self.height * settings.frames, width)
        nn.init.trunc_normal_(self.proj.weight, std=INIT_STD)
        nn.init.zeros_(self.proj.bias)

    @torch.no_grad()
    def fit(self, samples: Sequence[Sample]) -> None:
        """Mean and standard deviation of each band over all frames without a missing sample."""
        total, squares = torch.zeros(2, self.settings.mels, dtype=torch.float64)
        count = 0
        for sample in samples:
            sound = sample.streams["main"]
            values = self.energies(torch.from_numpy(np.nan_to_num(sound, nan=0.0, posinf=0.0, neginf=0.0))[None])
            complete = torch.from_numpy(self.complete(sound))
            if self.settings.centre:
                values = values - self.mean_over(values, complete[None])
            known = rearrange(values, "1 c n f m -> n (c f) m")[complete].flatten(0, 1).double()
            total += known.sum(0)
            squares += known.square().sum(0)
            count += len(known)
        mean = total / max(count, 1)
        self.mean.copy_(mean)
        self.std.copy_((squares / max(count, 1) - mean.square()).clamp_min(1e-4).sqrt())

    def layout(self, sample: Sample, stream: str) -> Layout | None:
        rate = sample.meta.get("rate_hz", self.rate_hz)
        if rate != self.rate_hz:
            raise DataError(
                f"{sample.meta.get('origin', sample.id)} is sampled at {rate} Hz, the encoder is for {self.rate_hz} Hz; read it with "
                f"PATH::rate_hz={self.rate_hz}, which resamples"
            )
        sound = sample.streams[stream]
        if len(sound) != self.channels and not self.settings.mono:
            raise DataError(f"{sample.id}: {len(sound)} channels, the encoder is for {self.channels}; convert the recording")
        complete = self.complete(sound)
        if not complete.any():
            raise DataError(
                f"{sample.id}: {sound.shape[1]} samples at {rate} Hz hold no complete token of {self.settings.token_s:g} s; "
                "remove it or set tokenizer.token_s lower"
            )
        whole = grid_layout((len(complete), self.bands), AXES)
        return whole if complete.all() else replace(whole, valid=np.repeat(complete, self.bands), grid=None)

    def complete(self, sound: np.ndarray) -> np.ndarray:
        """(n,) bool: which of the whole tokens in time have no missing sample. sound (C, T)."""
        count = sound.shape[1] // self.length
        return np.isfinite(sound[:, : count * self.length]).reshape(len(sound), count, self.length).all(axis=(0, 2))

    def forward(self, raw: Raw) -> Tokens:
        if raw.coords is None or raw.valid is None or raw.channel is None:
            raise ValueError("the log-mel tokenizer needs a batch with layouts")
        energies = raw.values if raw.values.ndim == 5 else self.energies(torch.nan_to_num(raw.values, nan=0.0, posinf=0.0, neginf=0.0))
        known = raw.valid[:, :: self.bands]
        energies = energies[:, :, : known.shape[1]]
        mean = self.mean_over(energies, known) if self.settings.centre else self.mean
        patches = rearrange((energies - mean) / self.std, "b c n f (h m) -> b (n h) (c f m)", h=self.bands)
        x = self.proj(patches.to(self.proj.weight.dtype))
        return Tokens(x, raw.coords, raw.valid, raw.channel, grid=raw.grid, order=raw.order)

    @torch.no_grad()
    def mean_over(self, energies: Tensor, known: Tensor) -> Tensor:
        """(B, C, 1, 1, mels): means over frames of the tokens (B, C, n, f, mels) that are known (B, n)."""
        mass = known[:, None, :, None, None].to(energies.dtype)
        return (energies * mass).sum((2, 3), keepdim=True) / (mass.sum((2, 3), keepdim=True) * energies.shape[3]).clamp_min(1.0)

    def continuous(self, raw: Raw) -> Raw:
        """Log-mel energies (B, C, n, frames, mels) in place of the waveform, of which tokens of one time share every sample."""
        return replace(raw, values=self.energies(torch.nan_to_num(raw.values, nan=0.0, posinf=0.0, neginf=0.0)))

    def energies(self, sound: Tensor) -> Tensor:
        """(B, C, T) → (B, C, n, frames, mels) float32, log-mel, not standardised; C is 1 when channels are added up."""
        sound = sound.sum(1, keepdim=True) if self.settings.mono else sound
        count = sound.shape[-1] // self.length
        tokens = rearrange(sound[..., : count * self.length].float(), "b c (n l) -> b c n l", l=self.length)
        starts = torch.linspace(0, self.length - self.window, self.settings.frames, device=sound.device).round().long()
        within = torch.arange(self.window, device=sound.device)
        return log_mel(tokens[..., starts[:, None] + within], self.filters.float(), self.settings.floor)
