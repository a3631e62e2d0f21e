"""Remote control of the cart-pole: pictures now, pictures some steps later, and the forces in between as condition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from pydantic import Field

from jepakit.sdk import DataError, Modality, Reader, Sample, Settings, ViewMaker
from jepakit_modalities.timeseries.cartpole import CHANNELS, STEP, STRONGEST, driven, picture

WINDOW, AHEAD = 4, 16
"""Frames that are seen at once, and steps that are looked ahead at most (0.32 s: a pole falls 3.4 times as far in that time)."""
WARMUP = 20
"""Steps of a recording before its window, in which the regulator brings the pole near balance."""
LATER, FORCES, STATES = "later", "forces", "states"
"""Names in `Sample.meta`: pictures (48, WINDOW + AHEAD), forces (AHEAD,) and states (AHEAD + 1, 4) from the last frame of the window on."""


class CartPoleModality(Modality):
    """Windows (48, 4) float32 of pictures at 50 Hz, simulated; label: the four numbers of the state, which pictures do not show all."""

    name = "cartpole"

    def open(self, source: str, split: str) -> Reader:
        kind, _, count = source.partition(":")
        if kind != "simulated" or not count.isdigit() or int(count) < 1:
            raise DataError(f"{source}: no such cart-pole data; expected simulated:NUMBER, as in simulated:4000")
        return self.synthetic(int(count), 0, split)

    def synthetic(self, count: int, seed: int, split: str = "train") -> Reader:
        return SimulatedReader(count, seed, split == "test")

    def raw_features(self, sample: Sample) -> np.ndarray:
        """All pixels of the window."""
        return np.asarray(sample.streams["main"], dtype=np.float32).ravel()


class SimulatedReader(Reader):
    """Windows of recordings that are simulated when they are read."""

    def __init__(self, count: int, seed: int, is_test: bool) -> None:
        self.count, self.seed, self.is_test = count, seed, is_test

    def __len__(self) -> int:
        return self.count

    def read(self, index: int) -> Sample:
        return window(self.seed, self.is_test, index)

    def spec(self) -> Mapping[str, Any]:
        return {"kind": CartPoleModality.name, "channels": CHANNELS, "rate_hz": 1 / STEP, "label_kind": "regression", "count": self.count}

    def fingerprint(self) -> str:
        return f"cartpole-{self.seed}-{self.is_test}-{self.count}"


@lru_cache(maxsize=20_000)
def window(seed: int, is_test: bool, index: int) -> Sample:
    """Window number `index`, the frames and forces after it in `meta`."""
    rng = np.random.Generator(np.random.Philox(key=[seed, 2 * index + is_test]))
    states, forces = driven(rng, WARMUP + WINDOW + AHEAD)
    frames = picture(states, rng).T[:, WARMUP:]
    last = WARMUP + WINDOW - 1
    return Sample(
        {"main": np.ascontiguousarray(frames[:, :WINDOW])},
        id=f"{'test' if is_test else 'train'}/{index}",
        label=states[last].astype(np.float64),
        meta={"rate_hz": 1 / STEP, LATER: frames, FORCES: forces[last : last + AHEAD].astype(np.float32), STATES: states[last:]},
    )


def condition(forces: np.ndarray, ahead: int) -> np.ndarray:
    """(AHEAD + 1,) float32: the forces until then over the strongest one, zeros after it, and how far it is."""
    told = np.zeros(AHEAD + 1, dtype=np.float32)
    told[:ahead] = forces[:ahead] / STRONGEST
    told[-1] = ahead / AHEAD
    return told


class AheadSettings(Settings):
    """Options of the view."""

    most: int = Field(AHEAD, ge=0, le=AHEAD, description="steps that are looked ahead at most")


class AheadView(ViewMaker):
    """Stream "target" is the window 0 to `most` steps later, meta["condition"] the forces until then."""

    def __init__(self, settings: AheadSettings) -> None:
        self.settings = settings

    def __call__(self, sample: Sample, rng: np.random.Generator, progress: float) -> Sample:
        ahead = int(rng.integers(self.settings.most + 1))
        later = np.ascontiguousarray(sample.meta[LATER][:, ahead : ahead + WINDOW])
        told = condition(sample.meta[FORCES], ahead)
        return replace(sample, streams={**sample.streams, "target": later}, meta={**sample.meta, "condition": told})
