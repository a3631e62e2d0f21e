"""The gradient of radar images: the logarithm of a ratio of averages, which multiplicative speckle does not bias.

Around every pixel lies a box of (2r + 1) x (2r + 1) pixels. Its left and its right half are averaged, both with the centre column, and
its upper and its lower half, both with the centre row:

    G_r = sqrt(log(left / right)^2 + log(upper / lower)^2)

Source: SAR-JEPA, Li et al. 2024 (arXiv 2311.15153), section 3.3, after the ratio of averages of Touzi et al. 1988 and the
logarithm of Dellinger et al. 2015 (SAR-SIFT). Sums over boxes are separable, and each axis is a running mean: the cost does not depend
on r.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import uniform_filter1d

from jepakit_sar.quantity import full_scale

TALL, WIDE = -2, -1
"""Axes of a (C, H, W) array."""


def gradient_maps(amplitude: np.ndarray, radii: Sequence[int], offset: float) -> np.ndarray:
    """G of every channel at every radius.

    Args:
        amplitude: (C, H, W), linear, NaN where there are no data: averages are over the pixels that have some.
        radii: in pixels. offset: added to the amplitude, as a share of full scale, so that shadows don't dominate.

    Returns:
        (C * len(radii), H, W) float16, radii of one channel next to each other; 0 where a half box has no data at all.
    """
    scaled = amplitude.astype(np.float32) / np.float32(full_scale(amplitude))
    known = np.isfinite(scaled)
    mass = None if known.all() else known.astype(np.float32)
    maps = [gradient(np.where(known, scaled, 0.0), mass, radius, offset) for radius in radii]
    channels, height, width = amplitude.shape
    return np.stack(maps, axis=1).reshape(channels * len(radii), height, width).astype(np.float16)


def gradient(amplitude: np.ndarray, mass: np.ndarray | None, radius: int, offset: float) -> np.ndarray:
    """G_r of (C, H, W) float32 amplitudes; mass is 1 where there are data and 0 elsewhere, or None when there are everywhere."""
    if radius < 1:
        raise ValueError(f"a radius of {radius} pixels spans no box; expected at least 1")
    across = log_ratio(amplitude, mass, radius, offset, along=WIDE, over=TALL)
    down = log_ratio(amplitude, mass, radius, offset, along=TALL, over=WIDE)
    return np.hypot(across, down)


def log_ratio(amplitude: np.ndarray, mass: np.ndarray | None, radius: int, offset: float, *, along: int, over: int) -> np.ndarray:
    """log of the mean of the half box before each pixel on axis `along` over that of the half behind it."""
    before, behind = halves(amplitude, radius, along, over)
    if mass is None:
        return np.log((before + offset) / (behind + offset))
    before_mass, behind_mass = halves(mass, radius, along, over)
    both = (before_mass > 1e-6) & (behind_mass > 1e-6)
    ratio = (before / np.where(both, before_mass, 1.0) + offset) / (behind / np.where(both, behind_mass, 1.0) + offset)
    return np.where(both, np.log(np.maximum(ratio, 1e-6)), 0.0)


def halves(values: np.ndarray, radius: int, along: int, over: int) -> tuple[np.ndarray, np.ndarray]:
    """Means over the two half boxes, both with the centre line; pixels outside the image are those mirrored at its edge."""
    band = uniform_filter1d(values, 2 * radius + 1, axis=over, mode="mirror")
    behind, before = -((radius + 1) // 2), radius // 2  # origins that move a window of r + 1 to start, or to end, at its pixel
    return (
        uniform_filter1d(band, radius + 1, axis=along, mode="mirror", origin=before),
        uniform_filter1d(band, radius + 1, axis=along, mode="mirror", origin=behind),
    )
