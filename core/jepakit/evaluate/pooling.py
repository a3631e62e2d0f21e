"""Token features → one vector a sample. Which way is best depends on the data as much as the encoder does, so several are offered."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from jepakit.contracts import Features

POOLINGS = ("mean", "mean+std", "mean+max", "flat", "prefix", "levels:mean+std")
"""levels: the encoder's asked blocks, each token normalised without gain, beside the last one. prefix: the mean of class tokens and
registers. flat: all tokens side by side, where every sample has the same ones."""
MAX_FLAT = 16_384
"""Values a sample that `flat` may hold; float16, so 10,000 samples take at most 330 MB."""


def pool(features: Features, kinds: Iterable[str] = POOLINGS) -> dict[str, Tensor]:
    """The poolings among `kinds` that these features allow, in that order.

    Args:
        features: last (B, N, D), valid (B, N) bool or None = all; levels and prefix where the encoder gave them.

    Returns:
        pooling → (B, F) float32, `flat` float16. `flat` needs all tokens valid and at most `MAX_FLAT` values, `prefix` prefix
        tokens, `levels:…` levels; where those are missing so is the key.
    """
    pooled = {kind: _one(features, kind) for kind in kinds}
    return {kind: z for kind, z in pooled.items() if z is not None}


def _one(features: Features, kind: str) -> Tensor | None:
    last, valid = features.last.float(), features.valid
    if kind == "flat":
        fits = last.shape[1] * last.shape[2] <= MAX_FLAT and (valid is None or bool(valid.all()))
        return last.flatten(1).half() if fits else None
    if kind == "prefix":
        return None if features.prefix is None or not features.prefix.shape[1] else features.prefix.float().mean(1)
    if not kind.startswith("levels:"):
        return _moments(last, valid, kind)
    if not features.levels:
        return None
    levels = [F.layer_norm(level.float(), level.shape[-1:]) for level in features.levels]
    return torch.cat([_moments(part, valid, kind.removeprefix("levels:")) for part in (*levels, last)], dim=-1)


def _moments(x: Tensor, valid: Tensor | None, kind: str) -> Tensor:
    """The moments that `kind` names, joined by +, over the valid tokens of x (B, N, D), side by side."""
    mass = x.new_ones(*x.shape[:2], 1) if valid is None else valid[..., None].to(x.dtype)
    count = mass.sum(1).clamp_min(1.0)
    x = torch.where(mass > 0, x, 0.0)  # padding may hold anything, even NaN
    mean = x.sum(1) / count
    parts = []
    for moment in kind.split("+"):
        if moment == "mean":
            parts.append(mean)
        elif moment == "std":
            parts.append((((x - mean[:, None]).square() * mass).sum(1) / count).sqrt())
        elif moment == "max":
            parts.append(x.masked_fill(mass == 0, -torch.inf).amax(1))
        else:
            raise ValueError(f"no pooling '{kind}'")
    return torch.cat(parts, dim=-1)
