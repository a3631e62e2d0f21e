"""The crop that masked video systems train on: one random window through all frames of a clip, resized, perhaps mirrored."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from jepakit.sdk import Sample, Settings, ViewMaker
from jepakit_modalities.image.views import CropSettings, CropView, Range, resized, share


class ClipCropSettings(Settings):
    """Options of the crop. Scale and ratio as in V-JEPA (arXiv 2404.08471), appendix B."""

    scale: Annotated[Range, AfterValidator(share)] = Field((0.3, 1.0), description="area of the window as a share of the frame")
    ratio: Range = Field((3 / 4, 1.35), description="width over height of the window")
    flip: bool = Field(False, description="mirror left and right with probability one half; never where left and right mean something")


class ClipCropView(ViewMaker):
    """The same window and the same mirror for every frame, so that what moves still moves as filmed; keyed by the sample."""

    def __init__(self, settings: ClipCropSettings) -> None:
        self.settings = settings
        self.crop = CropView(CropSettings(scale=settings.scale, ratio=settings.ratio))

    def __call__(self, sample: Sample, rng: np.random.Generator, progress: float) -> Sample:
        clip = sample.streams["main"]
        height, width = clip.shape[2:]
        window = self.crop.window(height, width, rng)
        seen = np.stack([resized(frame, window, (height, width)) for frame in clip.transpose(1, 0, 2, 3)], axis=1)
        if self.settings.flip and rng.random() < 0.5:
            seen = np.ascontiguousarray(seen[..., ::-1])
        return replace(sample, streams={**sample.streams, "main": seen})
