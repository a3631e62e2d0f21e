"""The baseline of videos: what a frame looks like and where it changes, as oriented gradients, and a linear model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from jepakit.sdk import Sample
from jepakit_modalities.image.classical import HogModel
from jepakit_modalities.image.tokenizer import full_scale


class MotionHog:
    """HOG (Dalal and Triggs 2005) of the mean frame and of where the clip grows brighter or darker, then as for images.

    The two pictures lie one above the other, signed changes around grey, so that the image baseline does the rest.
    """

    def __init__(self, task: str) -> None:
        self.model = HogModel(task)

    def fit(self, samples: Sequence[Sample], y: np.ndarray) -> MotionHog:
        self.model.fit([still(sample) for sample in samples], y)
        return self

    def predict(self, samples: Sequence[Sample]) -> np.ndarray:
        """(M,) classes or numbers, (M, L) where y had L columns."""
        return self.model.predict([still(sample) for sample in samples])

    def predict_proba(self, samples: Sequence[Sample]) -> np.ndarray:
        """(M, C), classes in the order of `classes_`."""
        return self.model.predict_proba([still(sample) for sample in samples])

    @property
    def classes_(self) -> np.ndarray:
        return self.model.classes_


def still(sample: Sample) -> Sample:
    """One grey picture of a clip: its mean above its mean difference weighted by time, which tells which way things move."""
    clip = np.nan_to_num(sample.streams["main"].astype(np.float32)).mean(0) / full_scale(sample.streams["main"].dtype)
    late = np.linspace(-1.0, 1.0, len(clip), dtype=np.float32)[:, None, None] if len(clip) > 1 else np.zeros((1, 1, 1), np.float32)
    both = np.concatenate([clip.mean(0), np.clip(0.5 + 2 * (clip * late).mean(0), 0, 1)], axis=0)
    return replace(sample, streams={"main": (np.clip(both, 0, 1) * 255).astype(np.uint8)[None]})


def baseline(task: str) -> tuple[str, Any] | None:
    """As for images; None for dense labels, and without scikit-image."""
    from jepakit_modalities.image.classical import baseline as of_images

    found = of_images(task)
    return None if found is None else (found[0].replace("HOG", "HOG of mean and motion"), MotionHog(task))
