"""What an image is: how it is opened, made up, looked at, and what its raw features are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from jepakit.sdk import DataError, Layout, MaskPlan, Modality, Reader, Sample
from jepakit_modalities.image.bundled import open_bundled
from jepakit_modalities.image.classical import baseline
from jepakit_modalities.image.sources import open_path
from jepakit_modalities.image.synthetic import gratings
from jepakit_modalities.image.tokenizer import full_scale
from jepakit_modalities.image.views import resized

RAW_SIDE = 32
"""Side of the image that raw features are read from."""
SHOWN = 128
"""Smallest side of a picture in the report, in pixels."""
COLOURS = ((230, 80, 60), (60, 150, 230), (90, 190, 90), (240, 180, 50), (160, 100, 210), (80, 200, 200))
HIDDEN = 0.25
"""Brightness of what the context encoder does not see."""
SPLITS = ("train", "test", "all")


class ImageModality(Modality):
    """Images (C, H, W), dtype as stored, any channel count."""

    name = "image"

    def open(self, source: str, split: str) -> Reader:
        if split not in SPLITS:
            raise DataError(f"{source}: no split '{split}'; there is {', '.join(SPLITS)}")
        if source.startswith("bundled:"):
            return open_bundled(source.removeprefix("bundled:"), split)
        return open_path(Path(source).expanduser(), split)

    def synthetic(self, count: int, seed: int, split: str = "train") -> Reader:
        return gratings(count, seed, split)

    def resembles(self, sample: Sample) -> float:
        """Bytes in two axes of similar size are pictures; numbers in two axes may be anything."""
        pixels = sample.streams["main"]
        height, width = pixels.shape[1:]
        if min(height, width) < 8 or max(height, width) > 8 * min(height, width):
            return 0.1
        if pixels.dtype.kind == "u":
            return 0.8
        return 0.4 if np.nanmin(pixels, initial=0) >= 0 and np.isfinite(pixels).all() else 0.2

    def raw_features(self, sample: Sample) -> np.ndarray:
        """Pixels at 32 x 32, flattened, float32; integer formats brought to [0, 1]."""
        image = sample.streams["main"]
        whole = (0, 0, image.shape[1], image.shape[2])
        return resized(image, whole, (RAW_SIDE, RAW_SIDE)).astype(np.float32).ravel() / np.float32(full_scale(image.dtype))

    def classical(self, task: str) -> tuple[str, Any] | None:
        return baseline(task)

    def picture(self, sample: Sample) -> np.ndarray:
        return enlarged(rgb(sample.streams["main"]))

    def mask_picture(self, sample: Sample, layout: Layout, plan: MaskPlan) -> np.ndarray | None:
        if layout.grid is None:
            return None
        """The first context and its queries. A patch is taken to be as large as the grid allows: exact where it divides the image."""
        image = sample.streams["main"]
        patch = min(image.shape[1] // layout.grid[0], image.shape[2] // layout.grid[1])
        factor = max(1, -(-SHOWN // min(image.shape[1:])))
        shown = enlarged(rgb(image)).astype(np.float32)
        visible = np.zeros(len(layout), dtype=bool)
        visible[plan.contexts[0].positions.idx] = True
        cell = patch * factor
        bright = np.kron(np.where(visible, 1.0, HIDDEN).reshape(layout.grid), np.ones((cell, cell)))
        shown[: bright.shape[0], : bright.shape[1]] *= bright[..., None]
        asked = [query for query in plan.queries if query.context == 0]
        for query, colour in zip(asked, COLOURS * (1 + len(asked) // len(COLOURS))):
            member = np.zeros(len(layout), dtype=bool)
            member[query.positions.idx] = True
            outline(shown, member.reshape(layout.grid), cell, colour)
        return shown.astype(np.uint8)


def rgb(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 of any image: the first three channels (the first one if there are fewer), stretched unless uint8."""
    three = image[:3] if image.shape[0] >= 3 else np.repeat(image[:1], 3, axis=0)
    if three.dtype != np.uint8:
        low, high = np.nanpercentile(three.astype(np.float64), (1, 99))
        three = np.clip((three - low) / max(high - low, 1e-9), 0, 1) * 255
    return np.ascontiguousarray(np.nan_to_num(three).astype(np.uint8).transpose(1, 2, 0))


def enlarged(picture: np.ndarray) -> np.ndarray:
    """Pixels repeated until the shorter side has at least 128."""
    factor = max(1, -(-SHOWN // min(picture.shape[:2])))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def outline(picture: np.ndarray, member: np.ndarray, cell: int, colour: tuple[int, int, int]) -> None:
    """Draws the border of a set of grid cells into a picture, in place."""
    wide = np.pad(member, 1)
    thick = max(1, cell // 8)
    for row, column in np.argwhere(member):
        top, left = row * cell, column * cell
        bottom, right = top + cell, left + cell
        if not wide[row, column + 1]:
            picture[top : top + thick, left:right] = colour
        if not wide[row + 2, column + 1]:
            picture[bottom - thick : bottom, left:right] = colour
        if not wide[row + 1, column]:
            picture[top:bottom, left : left + thick] = colour
        if not wide[row + 1, column + 2]:
            picture[top:bottom, right - thick : right] = colour
