"""The unit sphere: what makes clouds of any size and place comparable."""

from __future__ import annotations

import numpy as np

SMALLEST = 1e-9
"""Radius below which a cloud is one point, and stays so."""


def unit_sphere(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """(P, 3) moved to mean zero and scaled to largest radius one, float32; and the mean (3,) and the radius that were taken off."""
    mean = points.mean(axis=0, dtype=np.float64)
    centred = points - mean
    radius = max(float(np.sqrt(np.square(centred).sum(axis=1).max())), SMALLEST)
    return (centred / radius).astype(np.float32), mean, radius
