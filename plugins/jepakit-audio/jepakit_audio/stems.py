"""Music in stems: recordings with a channel an instrument, in a fixed order."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from jepakit.sdk import DataError, Layout, MaskPlan, Modality, Reader, Sample
from jepakit_audio.band import COLOURS, RATE_HZ, STEMS, piece
from jepakit_modalities.audio.modality import AudioModality
from jepakit_modalities.audio.reader import AudioReader, Clip
from jepakit_modalities.image.listing import Listing


class StemsModality(Modality):
    """Clips (C, T) float32 as those of audio, but every channel is an instrument; the mix is their sum."""

    name = "stems"

    def __init__(self) -> None:
        self.audio = AudioModality()

    def open(self, source: str, split: str) -> Reader:
        reader = self.audio.open(source, split)
        channels = reader.spec()["channels"]
        if channels < 2:
            raise DataError(f"{source}: {channels} channel; expected a channel an instrument, in the same order in every file")
        return reader

    def synthetic(self, count: int, seed: int, split: str = "train") -> Reader:
        ids = [f"synthetic/{split}/{index}" for index in range(count)]
        labels = [index % len(COLOURS) for index in range(count)]
        listing = Listing(ids, labels, class_names=list(COLOURS), digest=f"band-{seed}-{split}-{count}")
        return AudioReader(listing, partial(played, seed, split == "test"), origin="synthetic")

    def resembles(self, sample: Sample) -> float:
        """Several channels may be instruments or microphones; one channel is plain audio."""
        return 0.3 if len(sample.streams["main"]) > 2 and float(sample.meta.get("rate_hz") or 0) >= 4000 else 0.05

    def raw_features(self, sample: Sample) -> np.ndarray:
        """Those of audio, of the mix."""
        return self.audio.raw_features(sample)

    def classical(self, task: str) -> tuple[str, Any] | None:
        return self.audio.classical(task)

    def picture(self, sample: Sample) -> np.ndarray:
        return self.audio.picture(sample)

    def mask_picture(self, sample: Sample, layout: Layout, plan: MaskPlan) -> np.ndarray | None:
        return None


def played(seed: int, is_test: bool, index: int) -> Clip:
    """A made-up piece and its rate."""
    return piece(seed, is_test, index), RATE_HZ


__all__ = ["STEMS", "StemsModality"]
