"""What a video is: how it is opened, made up, looked at, and what its raw features are."""

from __future__ import annotations

from typing import Any

import numpy as np

from jepakit.sdk import DataError, Layout, MaskPlan, Modality, Reader, Sample
from jepakit_modalities.image.modality import HIDDEN, enlarged, rgb
from jepakit_modalities.image.tokenizer import full_scale
from jepakit_modalities.image.views import resized
from jepakit_modalities.video.classical import baseline
from jepakit_modalities.video.sources import open_source
from jepakit_modalities.video.synthetic import sliding_lights

RAW_SIDE, RAW_FRAMES = 16, 4
"""Side and number of the frames that raw features are read from."""
SHOWN = 4
"""Frames of a clip in a picture of the report, side by side."""
SPLITS = ("train", "test", "all")


class VideoModality(Modality):
    """Clips (C, T, H, W), dtype as stored, any channel count."""

    name = "video"

    def open(self, source: str, split: str) -> Reader:
        if split not in SPLITS:
            raise DataError(f"{source}: no split '{split}'; there is {', '.join(SPLITS)}")
        return open_source(source)

    def synthetic(self, count: int, seed: int, split: str = "train") -> Reader:
        return sliding_lights(count, seed, split)

    def resembles(self, sample: Sample) -> float:
        """Few channels of bytes in two axes of similar size, over time."""
        channels, _, height, width = sample.streams["main"].shape
        alike = min(height, width) >= 8 and max(height, width) <= 8 * min(height, width)
        return 0.9 if alike and channels in (1, 3) and sample.streams["main"].dtype.kind == "u" else 0.2

    def raw_features(self, sample: Sample) -> np.ndarray:
        """Pixels of four evenly spread frames at 16 x 16, flattened, float32; integer formats brought to [0, 1]."""
        clip = sample.streams["main"]
        small = [resized(frame, (0, 0, *frame.shape[1:]), (RAW_SIDE, RAW_SIDE)) for frame in spread(clip, RAW_FRAMES)]
        return np.stack(small).astype(np.float32).ravel() / np.float32(full_scale(clip.dtype))

    def classical(self, task: str) -> tuple[str, Any] | None:
        return baseline(task)

    def picture(self, sample: Sample) -> np.ndarray:
        return np.concatenate([enlarged(rgb(frame)) for frame in spread(sample.streams["main"], SHOWN)], axis=1)

    def mask_picture(self, sample: Sample, layout: Layout, plan: MaskPlan) -> np.ndarray | None:
        """Evenly spread frames, what the first context does not see dimmed."""
        if layout.grid is None:
            return None
        clip, (times, rows, columns) = sample.streams["main"], layout.grid
        visible = np.zeros(len(layout), dtype=bool)
        visible[plan.contexts[0].positions.idx] = True
        bright = np.where(visible, 1.0, HIDDEN).reshape(layout.grid)
        shown = []
        for number in np.linspace(0, clip.shape[1] - 1, SHOWN).round().astype(int):
            frame = enlarged(rgb(clip[:, number])).astype(np.float32)
            cells = bright[min(number * times // clip.shape[1], times - 1)]
            cell = (frame.shape[0] // rows, frame.shape[1] // columns)
            light = np.kron(cells, np.ones(cell))
            frame[: light.shape[0], : light.shape[1]] *= light[..., None]
            shown.append(frame.astype(np.uint8))
        return np.concatenate(shown, axis=1)


def spread(clip: np.ndarray, count: int) -> list[np.ndarray]:
    """`count` evenly spread frames (C, H, W) of a clip (C, T, H, W); some twice when it has fewer."""
    return [clip[:, number] for number in np.linspace(0, clip.shape[1] - 1, count).round().astype(int)]
