"""The crop of radar images: a shifted window at native resolution, because resampling would change speckle and the ratio windows."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from jepakit.sdk import ASIDE, Sample, Settings, ViewMaker


def rising(pair: tuple[float, float]) -> tuple[float, float]:
    """ValueError unless the pair is the lower and the upper end of a range above zero."""
    if not 0 < pair[0] <= pair[1]:
        raise ValueError(f"{list(pair)} is no range; expected two numbers above zero, the smaller one first")
    return pair


class SarCropSettings(Settings):
    """Options of the crop."""

    size: int | None = Field(None, ge=1, description="side of the window in pixels; None = the size of the image")
    shift: int = Field(0, ge=0, description="pixels that the window may reach over an edge, where the image is mirrored")
    flip: bool = Field(False, description="mirror along azimuth with probability one half")
    gain: Annotated[tuple[float, float], AfterValidator(rising)] = Field(
        (1.0, 1.0), description="factor on the amplitude, drawn evenly on a logarithmic scale; the gradient target does not see it"
    )


class SarCrop(ViewMaker):
    """A window of whole pixels, the same in every stream, so that maps made of the whole image fit what is left of it."""

    carries_asides = True

    def __init__(self, settings: SarCropSettings) -> None:
        self.settings = settings

    def __call__(self, sample: Sample, rng: np.random.Generator, progress: float) -> Sample:
        height, width = sample.streams["main"].shape[1:]
        side = self.settings.size or max(height, width)
        over = min(self.settings.shift, height - 1, width - 1)
        top = int(rng.integers(0, max(height + 2 * over - side, 2 * over) + 1))
        left = int(rng.integers(0, max(width + 2 * over - side, 2 * over) + 1))
        mirrored = self.settings.flip and rng.random() < 0.5
        factor = float(np.exp(rng.uniform(*np.log(self.settings.gain))))
        step = -1 if mirrored else 1
        rows, columns = reached(height, top, side, over), reached(width, left, side, over)[::step]
        seen = {name: array[:, rows[:, None], columns] for name, array in sample.streams.items()}
        amplified = {name: array if name.startswith(ASIDE) else times(array, factor) for name, array in seen.items()}
        return replace(sample, streams=amplified)


def reached(size: int, start: int, side: int, over: int) -> np.ndarray:
    """Numbers of the pixels of a window that starts at `start` of an axis with `over` mirrored pixels before and behind it."""
    places = np.arange(start, min(start + side, start + size)) - over
    return size - 1 - np.abs(size - 1 - np.abs(places))


def times(amplitude: np.ndarray, factor: float) -> np.ndarray:
    """The amplitude times a factor, in the dtype it came in; integers are clipped at full scale."""
    if factor == 1.0:
        return amplitude
    if amplitude.dtype.kind == "f":
        return amplitude * np.asarray(factor, dtype=amplitude.dtype)
    return np.clip(np.rint(amplitude * factor), 0, np.iinfo(amplitude.dtype).max).astype(amplitude.dtype)
