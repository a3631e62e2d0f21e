"""The nearest points of each centre, for a whole batch on any device."""

from __future__ import annotations

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from jepakit_modalities.pointcloud.sampling import neighbours

TREE_FROM = 1024
"""Points of a cloud from which a k-d tree on the CPU beats all distances: .45 against .80 ms at 1,024 (benchmarks/points.py)."""


def nearest(points: Tensor, centres: Tensor, count: int, sizes: Tensor | None) -> Tensor:
    """(B, N, count) int64: the nearest points of each centre, nearest first; the nearest again where a cloud has fewer points.

    points: (B, P, 3), of which sample b has sizes[b] (None: all P). centres: (B, N, 3).
    """
    if points.device.type == "cpu" and points.shape[1] >= TREE_FROM:
        return by_tree(points, centres, count, sizes)
    apart = torch.cdist(centres, points)
    if sizes is not None:
        apart = apart.masked_fill((torch.arange(points.shape[1], device=points.device) >= sizes[:, None])[:, None], torch.inf)
    found, chosen = apart.topk(min(count, points.shape[1]), dim=-1, largest=False)
    chosen = torch.where(found.isinf(), chosen[..., :1], chosen)
    return torch.cat((chosen, chosen[..., :1].expand(-1, -1, count - chosen.shape[-1])), dim=-1)


def by_tree(points: Tensor, centres: Tensor, count: int, sizes: Tensor | None) -> Tensor:
    """The same, one cloud after the other; memory does not grow with the product of points and centres."""
    lengths = [points.shape[1]] * len(points) if sizes is None else sizes.tolist()
    found = [neighbours(cloud[:length].numpy(), near.numpy(), count) for cloud, near, length in zip(points, centres, lengths)]
    return torch.from_numpy(np.stack(found))


def gathered(values: Tensor, chosen: Tensor) -> Tensor:
    """values (B, P, C) at chosen (B, N, k) → (B, N, k, C)."""
    flat = rearrange(chosen, "b n k -> b (n k) 1").expand(-1, -1, values.shape[-1])
    return rearrange(values.gather(1, flat), "b (n k) c -> b n k c", k=chosen.shape[-1])
