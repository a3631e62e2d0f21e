"""Positions from coordinates: sine-cosine added to tokens, or rotary inside attention, for any number of axes and any units.

Nothing is stored per position, so other resolutions, missing channels and irregular clouds cost nothing extra.
"""

from __future__ import annotations

from itertools import product

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


def rotary_tiled(coords: Tensor, head_width: int, *, scale: float = 1.0, base: float = 10_000.0) -> tuple[Tensor, Tensor]:
    """Rotary tables as some released video encoders were trained with: the two members of a pair turn by different angles.

    Every axis has 2 floor(d / 2K) channels; channel c of them turns by the angle of frequency c modulo half of them, so that the
    members of a pair, which are neighbours there, differ. Here a pair is (i, i + d/2), as in `rotary`: weights are reordered on import.

    Args:
        coords: (R, n, K) float32. head_width: d, even.

    Returns:
        cos, sin: (R, n, d) float32, the first members of all pairs, then the second ones.

    Source: the released code of Assran et al. 2025 (arXiv 2506.09985), section 2.1.
    """
    shared, axes = once(coords), coords.shape[-1]
    own = 2 * (head_width // axes // 2) if axes else 0
    angles = (shared[..., None].float() * scale * frequencies(own // 2, base, coords.device)).repeat(1, 1, 1, 2).flatten(2)
    angles = torch.nn.functional.pad(angles, (0, head_width - angles.shape[-1]))
    angles = torch.cat((angles[..., 0::2], angles[..., 1::2]), dim=-1)
    return angles.cos().expand(coords.shape[0], -1, -1), angles.sin().expand(coords.shape[0], -1, -1)


def from_table(coords: Tensor, table: Tensor, *, scale: float = 1.0) -> Tensor:
    """Learned positions at coordinates, linear between the places of the table, the nearest edge beyond it.

    Args:
        coords: (R, n, K) float32. table: (G1, …, GK, D), one entry a whole number of each axis. scale: multiplies the coordinates.

    Returns:
        (R, n, D); expanded along R where all samples share their coordinates.
    """
    last = torch.tensor(table.shape[:-1], device=coords.device, dtype=torch.float32) - 1
    place = torch.minimum((once(coords).float() * scale).clamp_min(0), last)
    low = place.floor()
    share = place - low
    found = table.new_zeros(*place.shape[:2], table.shape[-1])
    for corner in product((0, 1), repeat=coords.shape[-1]):
        step = torch.tensor(corner, device=coords.device, dtype=torch.float32)
        index = torch.minimum(low + step, last).long().unbind(-1)
        weight = (share * step + (1 - share) * (1 - step)).prod(-1, keepdim=True)
        found = found + weight.to(table.dtype) * table[index]
    return found.expand(coords.shape[0], -1, -1)
