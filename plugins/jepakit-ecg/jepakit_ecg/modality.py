"""What an electrocardiogram is: how it is opened, made up, looked at, and what its raw features are."""

from __future__ import annotations

from typing import Any

import numpy as np

from jepakit.sdk import Advice, DataError, Layout, MaskPlan, Modality, Reader, Sample
from jepakit_ecg.classical import WaveformBoosting, waveform
from jepakit_ecg.leads import LEADS
from jepakit_ecg.options import EcgOptions
from jepakit_ecg.reader import EcgReader, open_ecg
from jepakit_ecg.records import Record
from jepakit_modalities.timeseries.picture import drawn, masked

SPLITS = ("train", "test", "all")
RATE, SECONDS = 100.0, 2.56
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
        return EcgReader([beating(seed, split, index) for index in range(count)], EcgOptions(), ("narrow", "wide"))

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


def beating(seed: int, split: str, index: int) -> Record:
    """A made-up heart: the class is the width of its main wave; rate, phase, axis, wander and missing leads are random."""
    rng = np.random.Generator(np.random.Philox(key=[seed, 2 * index + (split == "test")]))
    label, t = int(rng.integers(2)), np.arange(round(RATE * SECONDS)) / RATE
    period, start, width = rng.uniform(0.6, 1.1), rng.uniform(0, 1), (0.02, 0.06)[label]
    away = (t - start + period / 2) % period - period / 2
    late = (t - start - 0.25 + period / 2) % period - period / 2
    wave = np.exp(-((away / width) ** 2)) + 0.25 * np.exp(-((late / 0.05) ** 2))
    signal = rng.normal(scale=0.8, size=(len(LEADS), 1)) * wave + 0.1 * np.sin(2 * np.pi * 0.3 * t + rng.uniform(0, 6, (len(LEADS), 1)))
    signal = (signal + rng.normal(scale=0.05, size=signal.shape)).astype(np.float32)
    if rng.random() < 0.3:
        signal[rng.permutation(len(LEADS))[: rng.integers(1, 10)]] = np.nan
    return Record(f"synthetic/{split}/{index}", signal, RATE, f"patient {index}", label)
