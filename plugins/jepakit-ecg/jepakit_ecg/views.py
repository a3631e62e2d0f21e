"""Augmentation: fewer leads, another window, another gain, more noise. Time is never reversed, leads never mixed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import Field

from jepakit.sdk import Sample, Settings, ViewMaker


class LeadSettings(Settings):
    """Options of the view."""

    drop: float = Field(0.0, ge=0, le=1, description="how often some of the recorded leads are taken away; at least one stays")
    crop: float = Field(1.0, gt=0, le=1, description="shortest window as a share of the recording; its place is random")
    scale: float = Field(0.0, ge=0, description="spread of the logarithm of a factor on all leads")
    noise: float = Field(0.0, ge=0, description="millivolts of added white noise")


class LeadView(ViewMaker):
    """Takes leads away (all numbers of remaining leads are equally likely), crops, scales, adds noise; what is missing stays missing."""

    def __init__(self, settings: LeadSettings) -> None:
        self.settings = settings

    def __call__(self, sample: Sample, rng: np.random.Generator, progress: float) -> Sample:
        signal, options = np.array(sample.streams["main"], dtype=np.float32), self.settings
        leads = np.flatnonzero(np.isfinite(signal).any(axis=1))
        if len(leads) > 1 and rng.random() < options.drop:
            signal[rng.permutation(leads)[rng.integers(1, len(leads)) :]] = np.nan
        if options.crop < 1:
            size = max(2, round(signal.shape[1] * rng.uniform(options.crop, 1.0)))
            start = int(rng.integers(signal.shape[1] - size + 1))
            signal = signal[:, start : start + size]
        signal = signal * np.float32(np.exp(rng.normal(scale=options.scale)))
        if options.noise:
            signal = signal + (options.noise * rng.standard_normal(signal.shape)).astype(np.float32)
        return replace(sample, streams={**sample.streams, "main": np.ascontiguousarray(signal)})
