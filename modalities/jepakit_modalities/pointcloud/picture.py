"""A cloud as a picture: seen from above and from the side, nearer points brighter and in front."""

from __future__ import annotations

import numpy as np

from jepakit.sdk import Layout
from jepakit_modalities.pointcloud.sampling import neighbours

SIDE, MARGIN, DOT = 160, 8, 2
"""Pixels of the square picture, of its margin, and of a point."""
NEUTRAL = (200, 200, 200)
TURN, TILT = np.deg2rad(35.0), np.deg2rad(25.0)
"""Where the viewer stands: turned about the upright axis, then looking down."""


def drawn(points: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """(160, 160, 3) uint8. points (P, 3) within the unit sphere, z up; colours (P, 3) from 0 to 255."""
    x, y, z = points.T.astype(np.float64)
    across = x * np.cos(TURN) - y * np.sin(TURN)
    away = x * np.sin(TURN) + y * np.cos(TURN)
    up, depth = z * np.cos(TILT) + away * np.sin(TILT), away * np.cos(TILT) - z * np.sin(TILT)
    half = (SIDE - 2 * MARGIN) / 2
    columns = np.rint(MARGIN + half * (1 + np.clip(across, -1, 1))).astype(int)
    rows = np.rint(MARGIN + half * (1 - np.clip(up, -1, 1))).astype(int)
    shade = np.clip(0.7 - 0.3 * depth, 0.3, 1.0)
    picture = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    order = np.argsort(-depth, kind="stable")  # far ones first, so that near ones cover them
    for down in range(DOT):
        for right in range(DOT):
            picture[rows[order] + down, columns[order] + right] = (colours[order] * shade[order, None]).astype(np.uint8)
    return picture


def owners(points: np.ndarray, layout: Layout) -> np.ndarray:
    """(P,) number of the valid token nearest to each point."""
    present = np.flatnonzero(layout.valid)
    return np.asarray(present[neighbours(layout.coords[present], points, 1)[:, 0]])
