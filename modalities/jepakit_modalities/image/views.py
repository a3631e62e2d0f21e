"""The crop that masked image systems train on: a random window, resized, perhaps mirrored. No colour is changed."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated

import numpy as np
import torch
from PIL import Image
from pydantic import AfterValidator, Field
from torch.nn.functional import interpolate

from jepakit.sdk import Sample, Settings, ViewMaker

TRIES = 10
"""Draws of a window that must fit before the whole image is taken, as in the usual random resized crop."""


def rising(pair: tuple[float, float]) -> tuple[float, float]:
    """ValueError unless the pair is the lower and the upper end of a range above zero."""
    if not 0 < pair[0] <= pair[1]:
        raise ValueError(f"{list(pair)} is no range; expected two numbers above zero, the smaller one first")
    return pair


def share(pair: tuple[float, float]) -> tuple[float, float]:
    """ValueError unless the pair lies within (0, 1]."""
    if pair[1] > 1:
        raise ValueError(f"{list(pair)} reaches above 1; a window can't be larger than its image")
    return pair


Range = Annotated[tuple[float, float], AfterValidator(rising)]


class CropSettings(Settings):
    """Options of the crop. Scale as in I-JEPA (arXiv 2301.08243, appendix A)."""

    scale: Annotated[Range, AfterValidator(share)] = Field((0.3, 1.0), description="area of the window as a share of the image")
    ratio: Range = Field((3 / 4, 4 / 3), description="width over height of the window")
    flip: bool = Field(False, description="mirror left and right with probability one half")
    size: int | None = Field(None, ge=1, description="side of the square result in pixels; None = the size of the image")


class CropView(ViewMaker):
    """Random resized crop, bilinear, keyed by the sample."""

    def __init__(self, settings: CropSettings) -> None:
        self.settings = settings

    def __call__(self, sample: Sample, rng: np.random.Generator, progress: float) -> Sample:
        image = sample.streams["main"]
        side = self.settings.size
        out = (side, side) if side else (image.shape[1], image.shape[2])
        seen = resized(image, self.window(image.shape[1], image.shape[2], rng), out)
        if self.settings.flip and rng.random() < 0.5:
            seen = np.ascontiguousarray(seen[:, :, ::-1])
        return replace(sample, streams={**sample.streams, "main": seen})

    def window(self, height: int, width: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
        """(top, left, height, width) of a window that lies inside the image."""
        low, high = map(math.log, self.settings.ratio)
        for _ in range(TRIES):
            area = height * width * rng.uniform(*self.settings.scale)
            ratio = math.exp(rng.uniform(low, high))
            h, w = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
            if 0 < h <= height and 0 < w <= width:
                return int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1)), h, w
        return 0, 0, height, width


def resized(image: np.ndarray, window: tuple[int, int, int, int], out: tuple[int, int]) -> np.ndarray:
    """The window of a (C, H, W) image at size `out`, in the dtype it came in. Pillow where it can, torch for other formats."""
    top, left, height, width = window
    if image.dtype == np.uint8 and image.shape[0] in (1, 3):
        pixels = image[0] if image.shape[0] == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
        box = (left, top, left + width, top + height)
        small = np.asarray(Image.fromarray(pixels).resize((out[1], out[0]), Image.Resampling.BILINEAR, box=box))
        return small[None] if image.shape[0] == 1 else np.ascontiguousarray(small.transpose(2, 0, 1))
    part = torch.from_numpy(np.ascontiguousarray(image[:, top : top + height, left : left + width]).astype(np.float32))
    small = interpolate(part[None], out, mode="bilinear", antialias=True)[0].numpy()
    return small.astype(image.dtype) if image.dtype.kind == "f" else np.rint(small).astype(image.dtype)
