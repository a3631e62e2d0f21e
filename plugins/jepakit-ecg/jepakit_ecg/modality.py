"""What an electrocardiogram is: how it is opened, made up, looked at, and what its raw features are."""

from __future__ import annotations

from typing import Any

import numpy as np

from jepakit.sdk import Advice, DataError, Layout, MaskPlan, Modality, Reader, Sample
from jepakit_ecg.classical import WaveformBoosting, waveform
from jepakit_ecg.options import EcgOptions
from jepakit_ecg.reader import EcgReader, open_ecg
from jepakit_ecg.synthetic import AXES, axis_of_heart
from jepakit_modalities.timeseries.picture import drawn, masked

SPLITS = ("train", "test", "all")
LONG_S = 30.0
"""Recordings longer than this are cut before training: attention over half an hour of beats fits no memory."""


class EcgModality(Modality):
    """ECG (12, T) float32 millivolts, NaN for leads that were not recorded."""

    name = "ecg"

    def open(self, source: str, split: str) -> Reader:
        if split not in SPLITS:
            raise DataError(f"{source}: no split '{split}'; there is {', '.join(SPLITS)}")
        return open_ecg(source)

    def synthetic(self, count: int, seed: int, split: str = "train") -> Reader:
        return EcgReader([axis_of_heart(seed, split, index) for index in range(count)], EcgOptions(), AXES)

    def resembles(self, sample: Sample) -> float:
        """It was read, so it has leads of an ECG by name."""
        return 0.9

    def advice(self, sample: Sample) -> Advice:
        """Pieces of long records."""
        seconds = sample.streams["main"].shape[-1] / float(sample.meta["rate_hz"])
        if seconds <= LONG_S:
            return Advice()
        reason = f"records of {seconds:,.0f} s are cut into pieces of ten; ::seconds=3::beats=yes gives single beats"
        return Advice("rate=120::band=0.5:40::seconds=10", reason=reason)

    def raw_features(self, sample: Sample) -> np.ndarray:
        """Millivolts, missing leads zero, at most 250 steps a lead, flattened."""
        return waveform(sample)

    def classical(self, task: str) -> tuple[str, Any] | None:
        return ("waveform or rhythm + boosting", WaveformBoosting()) if task == "classification" else None

    def picture(self, sample: Sample) -> np.ndarray:
        return drawn(sample)

    def mask_picture(self, sample: Sample, layout: Layout, plan: MaskPlan) -> np.ndarray | None:
        return masked(sample, layout, plan)
