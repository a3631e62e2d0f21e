"""Augmentation of clouds: fewer points, a turn, a stretch, a little noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from jepakit.sdk import Sample, Settings, ViewMaker

NORMAL = "normal x"
"""Column where the three components of a normal start."""


def rising(pair: tuple[float, float]) -> tuple[float, float]:
    """ValueError unless the pair is the lower and the upper end of a range above zero."""
    if not 0 < pair[0] <= pair[1]:
        raise ValueError(f"{list(pair)} is no range; expected two numbers above zero, the smaller one first")
    return pair


class CloudViewSettings(Settings):
    """Options of the augmentation. Stretch and turn as in Point-JEPA (arXiv 2404.16432), section 4.1."""

    points: int | None = Field(None, ge=1, description="random points kept; None = all")
    stretch: Annotated[tuple[float, float], AfterValidator(rising)] = Field((0.8, 1.2), description="factor of each axis by itself")
    turn: float = Field(180.0, ge=0, le=180, description="largest turn about the upright axis z, in degrees, either way")
    jitter: float = Field(0.0, ge=0, description="standard deviation added to coordinates, in their own unit")


class CloudView(ViewMaker):
    """Coordinates are changed about their mean, normals turn with them, and all other features stay as they are."""

    def __init__(self, settings: CloudViewSettings) -> None:
        self.settings = settings

    def __call__(self, sample: Sample, rng: np.random.Generator, progress: float) -> Sample:
        settings, points = self.settings, sample.streams["main"]
        if settings.points is not None and settings.points < len(points):
            points = points[rng.permutation(len(points))[: settings.points]]
        angle = np.deg2rad(rng.uniform(-settings.turn, settings.turn))
        turn = np.array([[np.cos(angle), -np.sin(angle), 0.0], [np.sin(angle), np.cos(angle), 0.0], [0.0, 0.0, 1.0]])
        mean, stretch = points[:, :3].mean(axis=0, dtype=np.float64), rng.uniform(*settings.stretch, size=3)
        place = (points[:, :3] - mean) * stretch @ turn.T + mean
        if settings.jitter:
            place = place + rng.normal(scale=settings.jitter, size=place.shape)
        changed = np.concatenate([place.astype(points.dtype), points[:, 3:]], axis=1)
        if NORMAL in (columns := tuple(sample.meta.get("columns", ()))):
            first = columns.index(NORMAL)
            across = points[:, first : first + 3] / stretch @ turn.T  # a plane that is stretched leans the other way
            length = np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
            changed[:, first : first + 3] = across / length
        return replace(sample, streams={**sample.streams, "main": changed})
