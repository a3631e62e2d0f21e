"""Positions from coordinates: sine-cosine added to tokens, or rotary inside attention, for any number of axes and any units.

Nothing is stored per position, so other resolutions, missing channels and irregular clouds cost nothing extra.
"""

from __future__ import annotations

import torch
from torch import Tensor


def frequencies(count: int, base: float, device: torch.device) -> Tensor:
    """(count,) float32: base^(-i/count), from 1 down to almost 1/base."""
    return base ** (-torch.arange(count, device=device, dtype=torch.float32) / max(count, 1))


def once(coords: Tensor) -> Tensor:
    """The first sample's coordinates where all samples share them (an expanded tensor), else all: the tables are then made once."""
    return coords[:1] if coords.shape[0] > 1 and coords.stride(0) == 0 else coords


def sincos(coords: Tensor, width: int, *, scale: float = 1.0, base: float = 10_000.0) -> Tensor:
    """Sine-cosine embedding of coordinates, the width shared evenly by the axes, what is left over zero.

    Args:
        coords: (R, n, K) float32. scale: multiplies the coordinates, so that neighbours differ by about 1.

    Returns:
        (R, n, width) float32; expanded along R where all samples share their coordinates.

    Source: Vaswani et al. 2017 (arXiv 1706.03762), section 3.5; per axis as in MoCo v3 (arXiv 2104.02057), section 5.
    """
    shared, axes = once(coords), coords.shape[-1]
    count = width // (2 * axes) if axes else 0
    angles = shared[..., None].float() * scale * frequencies(count, base, coords.device)
    table = torch.cat((angles.sin(), angles.cos()), dim=-1).flatten(2)
    if table.shape[-1] < width:
        table = torch.nn.functional.pad(table, (0, width - table.shape[-1]))
    return table.expand(coords.shape[0], -1, -1)


def rotary(coords: Tensor, head_width: int, *, scale: float = 1.0, base: float = 10_000.0) -> tuple[Tensor, Tensor]:
    """Cosines and sines for rotary attention: pairs of channels shared evenly by the axes, pairs left over unrotated.

    Args:
        coords: (R, n, K) float32. head_width: d, even.

    Returns:
        cos, sin: (R, n, d/2) float32.

    Source: Su et al. 2021 (arXiv 2104.09864), section 3.2; several axes as in V-JEPA 2 (arXiv 2506.09985), section 2.1.
    """
    shared, axes, pairs = once(coords), coords.shape[-1], head_width // 2
    count = pairs // axes if axes else 0
    angles = (shared[..., None].float() * scale * frequencies(count, base, coords.device)).flatten(2)
    angles = torch.nn.functional.pad(angles, (0, pairs - angles.shape[-1]))
    return angles.cos().expand(coords.shape[0], -1, -1), angles.sin().expand(coords.shape[0], -1, -1)
