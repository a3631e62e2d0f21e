"""Augmentation of clips: a crop, a shift, another speed, another loudness. What is said, and by whom, stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from jepakit.sdk import Sample, Settings, ViewMaker

SHARE = 0.25
"""The largest part of a clip that a shift may cut off at its start."""


def rising(pair: tuple[float, float]) -> tuple[float, float]:
    """ValueError unless the pair is the lower and the upper end of a range above zero."""
    if not 0 < pair[0] <= pair[1]:
        raise ValueError(f"{list(pair)} is no range; expected two numbers above zero, the smaller one first")
    return pair


class ClipViewSettings(Settings):
    """Options of the augmentation. Speeds as in Ko et al. 2015, Audio augmentation for speech recognition, section 3."""

    crop_s: float | None = Field(None, gt=0, description="longest clip in seconds; longer ones are cut at a random place; None = whole")
    shift_s: float = Field(0.04, ge=0, description="most that is cut off at the start, so that tokens begin elsewhere")
    speed: Annotated[tuple[float, float], AfterValidator(rising)] = Field((0.9, 1.1), description="range of the speed; pitch follows")
    gain_db: float = Field(6.0, ge=0, description="largest change of the loudness, either way")


class ClipView(ViewMaker):
    """Crop, shift, speed and gain of every stream alike, keyed by the sample. Where a sample is missing, its neighbours become missing."""

    def __init__(self, settings: ClipViewSettings) -> None:
        self.settings = settings

    def __call__(self, sample: Sample, rng: np.random.Generator, progress: float) -> Sample:
        rate = float(sample.meta.get("rate_hz", 1.0))
        length = min(sound.shape[1] for sound in sample.streams.values())
        start, stop = self.part(length, rate, rng)
        speed = np.exp(rng.uniform(*np.log(self.settings.speed)))
        gain = np.float32(10.0 ** (rng.uniform(-1, 1) * self.settings.gain_db / 20.0))
        streams = {name: faster(sound[:, start:stop], speed) * gain for name, sound in sample.streams.items()}
        return replace(sample, streams=streams)

    def part(self, length: int, rate: float, rng: np.random.Generator) -> tuple[int, int]:
        """First sample and end of what is kept."""
        longest = length if self.settings.crop_s is None else max(1, round(self.settings.crop_s * rate))
        if length > longest:
            start = int(rng.integers(0, length - longest + 1))
            return start, start + longest
        most = min(round(self.settings.shift_s * rate), int(SHARE * length))
        return int(rng.integers(0, most + 1)), length


def faster(sound: np.ndarray, speed: float) -> np.ndarray:
    """(C, T) → (C, T / speed), read at other places with linear interpolation."""
    count = max(1, round(sound.shape[1] / speed))
    place = np.minimum(np.arange(count) * speed, sound.shape[1] - 1)
    below = place.astype(np.int64)
    above, share = np.minimum(below + 1, sound.shape[1] - 1), (place - below).astype(np.float32)
    return np.ascontiguousarray(sound[:, below] * (1 - share) + sound[:, above] * share)
