"""What an electroencephalogram is: how it is opened, made up, looked at, and what its raw features are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from jepakit.sdk import Advice, DataError, Layout, MaskPlan, Modality, Reader, Sample
from jepakit_eeg.classical import BandPower, powers
from jepakit_eeg.options import parsed
from jepakit_eeg.preparation import prepared
from jepakit_eeg.reader import EegReader
from jepakit_eeg.recordings import load_recordings
from jepakit_eeg.synthetic import AXES, travelling
from jepakit_modalities.timeseries.picture import drawn, masked

SPLITS = ("train", "test", "all")
LONG_S = 30.0
"""Recordings longer than this are cut before training."""


class EegModality(Modality):
    """EEG (C, T) float32, NaN where a value is missing; rate, electrode names, positions and units in `meta`, the subject as group."""

    name = "eeg"

    def open(self, source: str, split: str) -> Reader:
        if split not in SPLITS:
            raise DataError(f"{source}: no split '{split}'; there is {', '.join(SPLITS)}")
        path, options = parsed(source)
        found, names = load_recordings(Path(path).expanduser(), options)
        return EegReader(prepared(found, options), seconds=options.seconds, class_names=names)

    def synthetic(self, count: int, seed: int, split: str = "train") -> Reader:
        return EegReader([travelling(seed, split, index) for index in range(count)], class_names=AXES)

    def resembles(self, sample: Sample) -> float:
        """The share of its channels that are electrodes with a place on the head."""
        return 0.9 * float(np.isfinite(np.asarray(sample.meta["positions"], np.float64)).all(axis=-1).mean())

    def advice(self, sample: Sample) -> Advice:
        """Pieces of long recordings."""
        seconds = sample.streams["main"].shape[-1] / float(sample.meta["rate_hz"])
        if seconds <= LONG_S:
            return Advice()
        return Advice("seconds=4", reason=f"recordings of {seconds:,.0f} s are cut into pieces of four")

    def raw_features(self, sample: Sample) -> np.ndarray:
        """Logarithmic power of each channel in bands of one hertz; mean over channels where their number differs between samples."""
        return powers(sample)

    def classical(self, task: str) -> tuple[str, Any] | None:
        return ("band power + logistic regression", BandPower()) if task == "classification" else None

    def picture(self, sample: Sample) -> np.ndarray:
        return drawn(sample)

    def mask_picture(self, sample: Sample, layout: Layout, plan: MaskPlan) -> np.ndarray | None:
        return masked(sample, layout, plan)
