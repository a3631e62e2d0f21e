"""Augmentation of series: a shifted window or a turn around the end, and a change of scale. Order of time is never reversed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import Field

from jepakit.sdk import Sample, Settings, ViewMaker


class JitterSettings(Settings):
    """Options of the view."""

    crop: float = Field(1.0, gt=0, le=1, description="shortest window as a share of the series; its place is random")
    shift: bool = Field(False, description="turn the series by a random number of steps, for outlines and other closed series")
    scale: float = Field(0.0, ge=0, description="spread of the logarithm of a factor on all channels")
    noise: float = Field(0.0, ge=0, description="spread of added noise, as a share of each channel's spread")


class JitterView(ViewMaker):
    """Crop, shift, scale, noise, in that order; missing values stay missing."""

    def __init__(self, settings: JitterSettings) -> None:
        self.settings = settings

    def __call__(self, sample: Sample, rng: np.random.Generator, progress: float) -> Sample:
        series, options = sample.streams["main"], self.settings
        if options.crop < 1:
            size = max(2, round(series.shape[1] * rng.uniform(options.crop, 1.0)))
            start = int(rng.integers(0, max(1, series.shape[1] - size + 1)))
            series = series[:, start : start + size]
        if options.shift:
            series = np.roll(series, int(rng.integers(series.shape[1])), axis=1)
        if options.scale:
            series = series * np.float32(np.exp(rng.normal(scale=options.scale)))
        if options.noise:
            spread = np.std(np.nan_to_num(series), axis=1, keepdims=True)
            series = series + (options.noise * spread * rng.standard_normal(series.shape)).astype(np.float32)
        return replace(sample, streams={**sample.streams, "main": np.ascontiguousarray(series, dtype=np.float32)})
