"""What a radar image is: how it is opened, made up, looked at, and what its raw features are."""

from __future__ import annotations

from typing import Any

import numpy as np

from jepakit.sdk import DataError, Layout, MaskPlan, Modality, Reader, Sample
from jepakit_modalities.image.modality import ImageModality
from jepakit_sar.classical import PixelBaseline, root_pixels
from jepakit_sar.quantity import full_scale
from jepakit_sar.sources import open_sar
from jepakit_sar.synthetic import speckled

RAW_SIDE = 32
"""Side of the image that raw features are read from."""
SPLITS = ("train", "test", "all")


class SarModality(Modality):
    """Radar amplitude (C, H, W): 8 or 16-bit chips as stored, all else float32; NaN where there are no data."""

    name = "sar"

    def __init__(self) -> None:
        self.images = ImageModality()

    def open(self, source: str, split: str) -> Reader:
        if split not in SPLITS:
            raise DataError(f"{source}: no split '{split}'; there is {', '.join(SPLITS)}")
        return open_sar(source, split)

    def synthetic(self, count: int, seed: int, split: str = "train") -> Reader:
        return speckled(count, seed, split)

    def resembles(self, sample: Sample) -> float:
        """One channel may be radar, yet most such pictures are not: where it is, one knows."""
        channels, height, width = sample.streams["main"].shape
        return 0.5 if channels == 1 and min(height, width) >= 8 else 0.05

    def raw_features(self, sample: Sample) -> np.ndarray:
        """Square root of the amplitude at 32 x 32, flattened."""
        return root_pixels(sample, RAW_SIDE)

    def classical(self, task: str) -> tuple[str, Any] | None:
        if task not in ("classification", "regression"):
            return None
        return "PCA + " + ("logistic regression" if task == "classification" else "ridge"), PixelBaseline(task)

    def picture(self, sample: Sample) -> np.ndarray:
        return self.images.picture(as_bytes(sample))

    def mask_picture(self, sample: Sample, layout: Layout, plan: MaskPlan) -> np.ndarray | None:
        return self.images.mask_picture(as_bytes(sample), layout, plan)


def as_bytes(sample: Sample) -> Sample:
    """The sample as a picture of 8 bits."""
    image = sample.streams["main"]
    share = np.clip(np.nan_to_num(image.astype(np.float32), nan=0.0) / np.float32(full_scale(image)), 0.0, 1.0)
    pixels = (np.sqrt(share) * 255).astype(np.uint8)
    return Sample({"main": pixels}, sample.id, meta=sample.meta)
