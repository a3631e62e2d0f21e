"""What a clip is: how it is opened, made up, looked at, and what its raw features are."""

from __future__ import annotations

from typing import Any

import numpy as np

from jepakit.sdk import DataError, Layout, MaskPlan, Modality, Reader, Sample
from jepakit_modalities.audio.address import parse
from jepakit_modalities.audio.classical import StatisticsBaseline, small_picture
from jepakit_modalities.audio.picture import drawn, drawn_mask
from jepakit_modalities.audio.sources import open_address
from jepakit_modalities.audio.synthetic import colours

SPLITS = ("train", "test", "all")
LOWEST_RATE_HZ = 4_000.0
"""Below it a signal holds not even speech: telephones sample at 8 kHz."""


class AudioModality(Modality):
    """Clips (C, T) float32, full scale one, of one rate and any length."""

    name = "audio"

    def open(self, source: str, split: str) -> Reader:
        if split not in SPLITS:
            raise DataError(f"{source}: no split '{split}'; there is {', '.join(SPLITS)}")
        if source.startswith("bundled:"):
            raise DataError(f"{source}: no package that jepakit needs carries recordings; try 'synthetic', or give a folder of sound files")
        return open_address(parse(source), split)

    def synthetic(self, count: int, seed: int, split: str = "train") -> Reader:
        return colours(count, seed, split)

    def resembles(self, sample: Sample) -> float:
        """Sound is sampled thousands of times a second; slower signals are of another kind."""
        return 0.8 if float(sample.meta.get("rate_hz") or 0) >= LOWEST_RATE_HZ else 0.1

    def raw_features(self, sample: Sample) -> np.ndarray:
        """Mean log-mel energy of 40 bands in 8 equal parts of the clip: (320,) float32."""
        return small_picture(sample)

    def classical(self, task: str) -> tuple[str, Any] | None:
        if task not in ("classification", "regression", "multilabel"):
            return None
        return "log-mel statistics + support vector machine", StatisticsBaseline(task)

    def picture(self, sample: Sample) -> np.ndarray:
        return drawn(sample)

    def mask_picture(self, sample: Sample, layout: Layout, plan: MaskPlan) -> np.ndarray | None:
        return drawn_mask(sample, layout, plan)
