"""What a time series is: how it is opened, made up, looked at, and what its raw features are."""

from __future__ import annotations

from typing import Any

import numpy as np

from jepakit.sdk import Advice, DataError, Layout, MaskPlan, Modality, Reader, Sample
from jepakit_modalities.timeseries.classical import baseline, flat
from jepakit_modalities.timeseries.picture import drawn, masked
from jepakit_modalities.timeseries.sources import open_series
from jepakit_modalities.timeseries.synthetic import glides

SPLITS = ("train", "test", "all")
LONG, WINDOW, STRIDE = 4096, 512, 64
"""Series of more steps are cut before training: attention over all of them is slow, and one series alone is one sample."""
SHORT = 64
"""Series of fewer steps hold less than four of the recipe's patches: nothing to hide, nothing to see."""


class TimeSeriesModality(Modality):
    """Series (C, T) float32 of any length and channel count, NaN where a value is missing."""

    name = "timeseries"

    def open(self, source: str, split: str) -> Reader:
        if split not in SPLITS:
            raise DataError(f"{source}: no split '{split}'; there is {', '.join(SPLITS)}")
        return open_series(source, split)

    def synthetic(self, count: int, seed: int, split: str = "train") -> Reader:
        return glides(count, seed, split)

    def resembles(self, sample: Sample) -> float:
        """Numbers with a rate are series; without one they may be anything, the columns of a table for example."""
        return 0.55 if sample.meta.get("rate_hz") else 0.3

    def advice(self, sample: Sample) -> Advice:
        """Pieces of long series; a token a step of short ones."""
        steps = sample.streams["main"].shape[-1]
        if steps > LONG:
            return Advice(f"window={WINDOW}::stride={STRIDE}", reason=f"a series of {steps:,} steps is cut into pieces of {WINDOW}")
        if steps < SHORT:
            return Advice(changes=("tokenizer.patch=1",), reason=f"a series of {steps} steps has a token a step")
        return Advice()

    def raw_features(self, sample: Sample) -> np.ndarray:
        """Values, gaps bridged, at one length for all samples of a source, flattened."""
        return flat(sample)

    def classical(self, task: str) -> tuple[str, Any] | None:
        return baseline(task)

    def picture(self, sample: Sample) -> np.ndarray:
        return drawn(sample)

    def mask_picture(self, sample: Sample, layout: Layout, plan: MaskPlan) -> np.ndarray | None:
        return masked(sample, layout, plan)
