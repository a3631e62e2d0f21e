"""Token features → one vector a sample. Which way is best depends on the data as much as the encoder does, so several are offered."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from jepakit.contracts import Features

POOLINGS = ("mean", "mean+std", "mean+max", "flat", "prefix", "levels:mean+std")
"""levels: the encoder's asked blocks, each token normalised without gain, beside the last one. prefix: the mean of class tokens and
registers. flat: all tokens side by side, where every sample has the same ones.

To be asked for: "all:mean+std", the levels beside the tokens that entered the encoder, so that a probe can use what training dropped;
"levels:flat"; "max", "std", any of the moments joined by +; "grid:4", the means of four equal parts of the first axis (time, height);
"pyramid:2", mean and std beside the means of the cells that cutting every axis into two gives, so that the rough arrangement is kept
(Lazebnik et al. 2006, section 3)."""
MOMENTS = ("mean", "std", "max")
DEEP = ("levels:", "all:")
"""Prefixes of poolings that need the levels of the encoder."""
MAX_PARTS = 64
"""Parts that `grid` may cut an axis into, and cells that a pyramid may have."""
MAX_FLAT = 16_384
"""Values a sample that `flat` may hold; float16, so 10,000 samples take at most 330 MB."""


def is_pooling(name: str) -> bool:
    """Whether `pool` knows the name."""
    kind = _inner(name)
    if name == "prefix" or kind == "flat":
        return True
    name, _, parts = kind.partition(":")
    if name in ("grid", "pyramid"):
        return parts.isdigit() and 1 <= int(parts) <= MAX_PARTS
    return all(part in MOMENTS for part in kind.split("+"))


def pool(features: Features, kinds: Iterable[str] = POOLINGS) -> dict[str, Tensor]:
    """The poolings among `kinds` that these features allow, in that order.

    Args:
        features: last (B, N, D), valid (B, N) bool or None = all; levels, prefix, coords and tokens where the encoder gave them.

    Returns:
        pooling → (B, F) float32, those of `flat` float16. `flat` needs all tokens valid and at most `MAX_FLAT` values, `prefix` prefix
        tokens, `levels:…` levels, `all:…` levels and tokens, `grid:…` and `pyramid:…` coords (and at most `MAX_PARTS` cells); where
        those are missing so is the key.
    """
    pooled = {kind: _one(features, kind) for kind in kinds}
    return {kind: z for kind, z in pooled.items() if z is not None}


def _one(features: Features, kind: str) -> Tensor | None:
    valid = features.valid
    if kind == "prefix":
        return None if features.prefix is None or not features.prefix.shape[1] else features.prefix.float().mean(1)
    inner, parts = _inner(kind), _parts(features, kind)
    if not parts:
        return None
    if inner == "flat":
        return _flat(parts, valid)
    name, _, number = inner.partition(":")
    if not number:
        return torch.cat([_moments(part, valid, inner) for part in parts], dim=-1)
    members = _members(features, name, int(number))
    if not members:
        return None
    whole = [_moments(part, valid, "mean+std") for part in parts] if name == "pyramid" else []
    return torch.cat([*whole, *(_moments(part, member, "mean") for part in parts for member in members)], dim=-1)


def _inner(kind: str) -> str:
    """The pooling without the prefix that says of which layers."""
    return next((kind.removeprefix(prefix) for prefix in DEEP if kind.startswith(prefix)), kind)


def _parts(features: Features, kind: str) -> list[Tensor]:
    """The layers (B, N, D) that a pooling takes, the last one last; none where the encoder did not give them."""
    last = features.last.float()
    if not kind.startswith(DEEP):
        return [last]
    if not features.levels or (kind.startswith("all:") and features.tokens is None):
        return []
    entered = [features.tokens.float()] if features.tokens is not None and kind.startswith("all:") else []
    return [*entered, *(F.layer_norm(level.float(), level.shape[-1:]) for level in features.levels), last]


def _flat(parts: list[Tensor], valid: Tensor | None) -> Tensor | None:
    """All tokens of all parts (B, N, D) side by side; None where some are not valid or there are too many values."""
    fits = sum(part.shape[1] * part.shape[2] for part in parts) <= MAX_FLAT and (valid is None or bool(valid.all()))
    return torch.cat([part.flatten(1) for part in parts], dim=1).half() if fits else None


def _members(features: Features, name: str, number: int) -> list[Tensor]:
    """Masks (B, N) of the parts of the first axis (`grid`), or of the cells of all axes (`pyramid`); none without coordinates.

    A part without a token is given all of the sample's: its mean is then the mean of the sample.
    """
    if features.coords is None:
        return []
    axes = features.coords.shape[-1] if name == "pyramid" else 1
    if number**axes > MAX_PARTS:
        return []
    valid = features.valid
    by_axis = [place_parts(features.coords[..., axis], valid, number) for axis in range(axes)]
    everything = torch.ones(features.last.shape[:2], dtype=torch.bool, device=features.last.device) if valid is None else valid
    cells = [torch.stack(parts).all(0) for parts in product(*by_axis)]
    return [torch.where(cell.any(1, keepdim=True), cell, everything) for cell in cells]


def place_parts(place: Tensor, valid: Tensor | None, count: int) -> list[Tensor]:
    """`count` masks (B, N): which valid tokens lie in which of the equal parts between a sample's least and greatest place (B, N)."""
    valid = torch.ones_like(place, dtype=torch.bool) if valid is None else valid
    least = place.masked_fill(~valid, torch.inf).amin(1, keepdim=True)
    span = (place.masked_fill(~valid, -torch.inf).amax(1, keepdim=True) - least).clamp_min(1e-12)
    number = ((place - least) / span * count).floor().clamp(0, count - 1)
    return [(number == part) & valid for part in range(count)]


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
