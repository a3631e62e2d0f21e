"""From a piece in stems to what Stem-JEPA sees: a mix of some stems, and one that is missing from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import Field

from jepakit.sdk import DataError, Sample, Settings, ViewMaker

CROPS = 10
"""Places that are tried for one at which two stems play (Stem-JEPA, arXiv 2408.02514, section 3.1)."""


class StemSettings(Settings):
    """Options. Stem-JEPA, Riou et al. 2024 (arXiv 2408.02514), section 3.1: 8 s; silent is what stays under a tenth of full scale."""

    crop_s: float = Field(8.0, gt=0, description="seconds of a crop; a shorter piece is used whole")
    audible: float = Field(0.02, ge=0, description="largest absolute value above which a stem plays; the paper's mastered music: 0.1")
    stems: int = Field(4, ge=2, description="channels a piece, and length of the condition; predictor.condition_width must be the same")


class StemView(ViewMaker):
    """Stream "main" is the sum of a random non-empty set of stems, "target" is another stem, meta["condition"] says which, one-hot.

    target: number of the stem to predict from all others, for retrieval; None: at random among those that play.
    Raises DataError for a piece with another number of stems, or in which fewer than two play.
    """

    def __init__(self, settings: StemSettings, target: int | None = None) -> None:
        self.settings, self.target = settings, target

    def __call__(self, sample: Sample, rng: np.random.Generator, progress: float) -> Sample:
        piece = sample.streams["main"]
        if len(piece) != self.settings.stems:
            raise DataError(f"{sample.id}: {len(piece)} stems; the view was made for {self.settings.stems}: set views.stems")
        part, playing = self.crop(piece, float(sample.meta.get("rate_hz", 1.0)), rng)
        if len(playing) < 2:
            raise DataError(f"{sample.id}: fewer than two stems are louder than {self.settings.audible:g}; remove it or set views.audible")
        target, mixed = self.chosen(playing, rng)
        streams = {"main": part[mixed].sum(axis=0, keepdims=True), "target": part[target : target + 1]}
        condition = np.eye(self.settings.stems, dtype=np.float32)[target]
        return replace(sample, streams=streams, meta={**sample.meta, "condition": condition})

    def crop(self, piece: np.ndarray, rate: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A crop, and the numbers of the stems that play in it; the first of some in which two play."""
        length = min(piece.shape[1], max(1, round(self.settings.crop_s * rate)))
        for _ in range(CROPS):
            start = int(rng.integers(0, piece.shape[1] - length + 1))
            part = piece[:, start : start + length]
            playing = np.flatnonzero(np.abs(np.nan_to_num(part)).max(axis=1) > self.settings.audible)
            if len(playing) > 1:
                break
        return np.ascontiguousarray(part), playing

    def chosen(self, playing: np.ndarray, rng: np.random.Generator) -> tuple[int, np.ndarray]:
        """The stem to predict, and those that are mixed: one to all of the others that play, every number equally likely."""
        if self.target is not None:
            return self.target, playing[playing != self.target]
        target = int(rng.choice(playing))
        others = playing[playing != target]
        return target, np.sort(rng.permutation(others)[: rng.integers(1, len(others) + 1)])
