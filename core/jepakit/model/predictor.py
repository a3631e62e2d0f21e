"""The predictor that reads context and mask tokens together: the one of I-JEPA and V-JEPA."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from jepakit.contracts import Condition, Predictor
from jepakit.model.attention import Block, initialise
from jepakit.model.patterns import Pattern, allowed
from jepakit.model.positions import sincos
from jepakit.settings import Settings


class PredictorSettings(Settings):
    """Options of the transformer predictor. Narrower than the encoder (I-JEPA, arXiv 2301.08243, section 5 and table 14)."""

    width: int = Field(96, ge=8, description="width inside the predictor")
    depth: int = Field(4, ge=1, description="number of blocks")
    heads: int = Field(3, ge=1, description="attention heads; head widths of 32 and 64 are fastest")
    mlp_ratio: float = Field(4.0, gt=0)
    kinds: int = Field(1, ge=1, description="number of mask types, each with its own mask token (V-JEPA has one a masker)")
    coord_scale: float = Field(1.0, gt=0)
    channels: int = Field(0, ge=0, description="size of the learned channel table; 0 = none")
    condition_width: int = Field(0, ge=0, description="width of a condition vector added to every query; 0 = none")

    @model_validator(mode="after")
    def heads_divide_width(self) -> PredictorSettings:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of heads {self.heads}")
        return self


class TransformerSettings(PredictorSettings):
    """Those of all predictors, and who may ask whom in the row."""

    attention: Pattern = Field("full", description="channel = each channel is predicted from its own context alone; cross = or its time")


class QueryEmbedding(nn.Module):
    """Query positions → query tokens: mask token of the kind, position, channel, condition. Shared by all predictors."""

    def __init__(self, settings: PredictorSettings) -> None:
        super().__init__()
        self.settings = settings
        self.mask_token = nn.Parameter(torch.empty(settings.kinds, settings.width))
        nn.init.trunc_normal_(self.mask_token, std=0.02)
        self.channel_embedding = nn.Embedding(settings.channels, settings.width) if settings.channels else None
        self.condition = nn.Linear(settings.condition_width, settings.width) if settings.condition_width else None
        self.per_query = nn.Linear(settings.condition_width, settings.width) if settings.condition_width else None

    def forward(self, coords: Tensor, kind: Tensor | None, channel: Tensor | None, condition: Condition | None) -> Tensor:
        token = self.mask_token[:1] if kind is None else self.mask_token[kind % self.settings.kinds]
        x = self.place(token.expand(*coords.shape[:2], -1) if kind is None else token, coords, channel)
        if self.condition is not None and condition is not None and condition.vec is not None:
            x = x + self.condition(condition.vec.to(x.dtype))[:, None]
        if self.per_query is not None and condition is not None and condition.per_query is not None:
            x = x + self.per_query(condition.per_query.to(x.dtype))
        return x

    def place(self, x: Tensor, coords: Tensor, channel: Tensor | None) -> Tensor:
        """Adds position and channel; used for context tokens too."""
        if coords.shape[-1]:
            x = x + sincos(coords, self.settings.width, scale=self.settings.coord_scale).to(x.dtype)
        if self.channel_embedding is not None and channel is not None:
            x = x + self.channel_embedding(channel.long()).to(x.dtype)
        return x


class TransformerPredictor(Predictor):
    """Context tokens and mask tokens in one row, full attention unless asked otherwise, output at the queries.

    Source: I-JEPA, Assran et al. 2023 (arXiv 2301.08243), section 3; block mask for query groups: this project.
    """

    style: Literal["concat", "cross", "pointwise", "dense_fill", "causal"] = "concat"

    def __init__(self, settings: TransformerSettings, *, context_width: int, target_width: int) -> None:
        super().__init__()
        self.attention = settings.attention
        self.entry = nn.Linear(context_width, settings.width)
        self.blocks = nn.ModuleList(Block(settings.width, settings.heads, settings.mlp_ratio) for _ in range(settings.depth))
        self.norm = nn.LayerNorm(settings.width, eps=1e-6)
        self.exit = nn.Linear(settings.width, target_width)
        initialise(self, self.blocks)
        self.queries = QueryEmbedding(settings)

    def forward(
        self,
        context: Tensor,
        context_coords: Tensor,
        context_valid: Tensor | None,
        query_coords: Tensor,
        query_valid: Tensor | None,
        *,
        query_kind: Tensor | None = None,
        query_group: Tensor | None = None,
        context_channel: Tensor | None = None,
        query_channel: Tensor | None = None,
        condition: Condition | None = None,
    ) -> Tensor:
        seen = self.queries.place(self.entry(context), context_coords, context_channel)
        asked = self.queries(query_coords, query_kind, query_channel, condition)
        x = torch.cat((seen, asked), dim=1)
        keys = joint_mask(seen.shape[1], asked.shape[1], context_valid, query_valid, query_group)
        mask = allowed(self.attention, torch.cat((context_coords, query_coords), dim=1), _joined(context_channel, query_channel), keys=keys)
        for block in self.blocks[:-1]:
            x = block(x, mask)
        x = self.blocks[-1](x, mask, tail=asked.shape[1])  # the context's own outputs are not needed any more
        return self.exit(self.norm(x))


def _joined(seen: Tensor | None, asked: Tensor | None) -> Tensor | None:
    return None if seen is None or asked is None else torch.cat((seen, asked), dim=1)


def joint_mask(n: int, nq: int, context_valid: Tensor | None, query_valid: Tensor | None, group: Tensor | None) -> Tensor | None:
    """Who may attend to whom in a row of n context and nq query tokens: (R, 1, 1 or n + nq, n + nq) bool, or None when all may.

    With groups a query sees the context and its own group, and the context sees itself only. A padded query sees the context.
    """
    if context_valid is None and query_valid is None and group is None:
        return None
    known = next(part for part in (context_valid, query_valid, group) if part is not None)
    rows, device = known.shape[0], known.device
    seen = context_valid if context_valid is not None else torch.ones(rows, n, dtype=torch.bool, device=device)
    asked = query_valid if query_valid is not None else torch.ones(rows, nq, dtype=torch.bool, device=device)
    keys = torch.cat((seen, asked), dim=1)[:, None, None, :]
    if group is None:
        return keys
    member = torch.cat((torch.full((rows, n), -1, device=device, dtype=group.dtype), group), dim=1)
    same = (member[:, None, :] == -1) | (member[:, None, :] == member[:, :, None])
    return keys & same[:, None]
