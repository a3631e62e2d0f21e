"""Waveform → log-mel energies: the front end that tokens, raw features and pictures share."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from jepakit.sdk import DataError
from jepakit_modalities.audio.torchaudio_light import functional


def log_mel(frames: Tensor, filters: Tensor, floor: float) -> Tensor:
    """(..., W) float32 windows → (..., M): natural logarithm of the energy in each mel band.

    A Hann window, a DFT of `2 * (len(filters) - 1)` points, power over the energy of the window (so that white noise of variance v has
    power v), triangular filters (bins, M). floor: power that is added, below which nothing is told apart.
    """
    window = torch.hann_window(frames.shape[-1], periodic=False, device=frames.device)
    spectrum = torch.fft.rfft(frames * window, n=2 * (len(filters) - 1))
    power = (spectrum.real.square() + spectrum.imag.square()) / window.square().sum()
    return torch.log(power @ filters + floor)


@lru_cache(maxsize=32)
def mel_filters(rate_hz: int, window: int, mels: int, low_hz: float, high_hz: float) -> Tensor:
    """(bins, mels) float32, triangles on the HTK mel scale, each of area one; a DFT long enough that no triangle falls between bins.

    Raises:
        DataError: the highest frequency is above half the rate, or not above the lowest.
    """
    if not 0 <= low_hz < high_hz <= rate_hz / 2:
        raise DataError(f"mel bands from {low_hz:g} to {high_hz:g} Hz do not fit into 0 to {rate_hz / 2:g} Hz, half of the rate")
    step = (mel(high_hz) - mel(low_hz)) / (mels + 1)
    narrowest = hertz(mel(low_hz) + step) - low_hz
    size = 1 << int(np.ceil(np.log2(max(window, rate_hz / narrowest))))
    filters: Tensor = functional().melscale_fbanks(size // 2 + 1, low_hz, high_hz, mels, rate_hz)
    return filters / filters.sum(0, keepdim=True).clamp_min(1e-12)


def mel(hz: float) -> float:
    """The HTK mel scale."""
    return float(2595.0 * np.log10(1.0 + hz / 700.0))


def hertz(mels: float) -> float:
    """Its inverse."""
    return float(700.0 * (10.0 ** (mels / 2595.0) - 1.0))


FLOOR = 1e-8
"""Power below which nothing is told apart: 80 dB under full scale, about the noise of an 8 kHz telephone line."""
WINDOW_S, HOP_S, LOW_HZ = 0.025, 0.01, 50.0
"""The usual frames of speech recognition."""


def spectrogram(sound: np.ndarray, rate_hz: int, mels: int) -> np.ndarray:
    """(C, T) → (mels, frames) float32, channels averaged: 25 ms every 10 ms, from 50 Hz up; a short clip is padded to one frame.

    Values that are not finite count as silence.
    """
    window, hop = round(WINDOW_S * rate_hz), round(HOP_S * rate_hz)
    mono = torch.from_numpy(np.nan_to_num(sound.mean(0), nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32))
    if len(mono) < window:
        mono = torch.nn.functional.pad(mono, (0, window - len(mono)))
    frames = mono.unfold(0, window, hop)
    return log_mel(frames, mel_filters(rate_hz, window, mels, LOW_HZ, rate_hz / 2), FLOOR).T.contiguous().numpy()
