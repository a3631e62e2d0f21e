"""From an encoder's features to what is predicted: which levels, how mixed, how normalised."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from jepakit.contracts import Features, TargetTransform
from jepakit.crossrank import moments_over_ranks, ratio_over_ranks
from jepakit.settings import Settings


class LevelsSettings(Settings):
    """Which features are predicted. The default is the last layer under an affine-free layer norm (I-JEPA)."""

    levels: tuple[int, ...] = Field((-1,), description="blocks, 0-based, negative from the end; -1 is the encoder's normed output")
    mix: Literal["mean", "concat"] = Field("mean", description="how several levels become one (mean: data2vec; concat: V-JEPA 2.1)")
    norm: Literal["layer", "standardise", "position", "l2", "none"] = Field("layer", description="normalisation of the mixed target")
    norm_levels: bool = Field(True, description="layer-norm each level before mixing several (data2vec 2.0, arXiv 2212.07525, section 3.2)")


class LevelsTransform(TargetTransform):
    """Picks levels, mixes them, normalises; in float32.

    layer: affine-free layer norm over the width. standardise: zero mean and unit variance per dimension over all valid tokens of
    the batch, all ranks together (Audio-JEPA). position: minus the mean over the samples of the batch at the same place in the sequence,
    then as layer, so that knowing where a token lies is worth nothing. l2: unit length.
    """

    def __init__(self, settings: LevelsSettings) -> None:
        super().__init__()
        self.settings = settings
        self.levels = tuple(level for level in settings.levels if level != -1)

    def out_width(self, width: int) -> int:
        return width * len(self.settings.levels) if self.settings.mix == "concat" else width

    def forward(self, features: Features, valid: Tensor | None) -> Tensor:
        inner = iter(features.levels)
        parts = [(features.last if level == -1 else next(inner)).float() for level in self.settings.levels]
        if len(parts) > 1 and self.settings.norm_levels:
            parts = [F.layer_norm(part, part.shape[-1:]) for part in parts]
        mixed = torch.cat(parts, dim=-1) if self.settings.mix == "concat" else torch.stack(parts).mean(0) if len(parts) > 1 else parts[0]
        return normalised(mixed, self.settings.norm, valid)


def normalised(x: Tensor, norm: str, valid: Tensor | None) -> Tensor:
    """x (B, N, D) float32 under one of the norms of `LevelsSettings`."""
    if norm == "layer":
        return F.layer_norm(x, x.shape[-1:])
    if norm == "position":
        return F.layer_norm(x - mean_at_position(x, valid), x.shape[-1:])
    if norm == "l2":
        return F.normalize(x, dim=-1)
    if norm == "standardise":
        tokens = x.flatten(0, 1) if valid is None else x[valid]
        mean, variance = moments_over_ranks(tokens)
        return (x - mean) / variance.clamp_min(1e-10).sqrt()
    return x


def mean_at_position(x: Tensor, valid: Tensor | None) -> Tensor:
    """(1, N, D): the mean over valid tokens (B, N, D) of the batch that have the same number."""
    mass = torch.ones_like(x[..., :1]) if valid is None else valid[..., None].to(x.dtype)
    return ratio_over_ranks((x * mass).sum(0), mass.sum(0))[None, : x.shape[1]]
