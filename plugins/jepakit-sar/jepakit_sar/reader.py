"""Radar images as amplitudes, from whatever an image reader fetches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jepakit.sdk import Reader, Sample
from jepakit_modalities.image.reader import ImageReader


class SarReader(Reader):
    """Samples (C, H, W) of linear amplitude, NaN where there are no data; `quantity` is what the source held."""

    def __init__(self, images: ImageReader, quantity: str) -> None:
        self.images, self.quantity = images, quantity

    def __len__(self) -> int:
        return len(self.images)

    def read(self, index: int) -> Sample:
        sample = self.images.read(index)
        return Sample(sample.streams, sample.id, sample.label, sample.group, {"quantity": self.quantity})

    def spec(self) -> Mapping[str, Any]:
        return {**self.images.spec(), "kind": "sar", "quantity": self.quantity}

    def fingerprint(self) -> str:
        return f"{self.images.fingerprint()}-{self.quantity}"
