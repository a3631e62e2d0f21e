"""The transformer encoder over tokens with coordinates: any number of axes, any subset of tokens."""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from jepakit.contracts import Condition, Encoder, Features
from jepakit.errors import ConfigError
from jepakit.model.attention import Block, initialise
from jepakit.model.patterns import Pattern, allowed
from jepakit.model.positions import from_table, rotary, rotary_tiled, sincos
from jepakit.settings import Settings


class EncoderSettings(Settings):
    """Options of the transformer encoder. Defaults: the smallest size of the I-JEPA code family (192 wide, 12 deep, 3 heads)."""

    width: int = Field(192, ge=8, description="D, width of a token")
    depth: int = Field(12, ge=1, description="number of blocks")
    heads: int = Field(3, ge=1, description="attention heads; must divide the width")
    mlp_ratio: float = Field(4.0, gt=0, description="hidden width of the MLP over the width")
    positions: Literal["sincos", "rotary", "rotary-tiled", "table", "none"] = Field(
        "sincos", description="how coordinates enter; rotary-tiled and table are those of released weights"
    )
    table: tuple[int, ...] = Field((), description="places of the learned table by axis; only with positions: table")
    coord_scale: float = Field(1.0, gt=0, description="multiplies coordinates, so that neighbouring tokens differ by about 1")
    position_gain: float = Field(1.0, ge=0, description="multiplies the sine-cosine table before it is added")
    registers: int = Field(0, ge=0, description="learned prefix tokens (arXiv 2309.16588)")
    channels: int = Field(0, ge=0, description="size of the learned channel table; 0 = channels are told apart by coordinates only")
    condition_width: int = Field(0, ge=0, description="width of a condition vector that becomes one prefix token; 0 = none")
    attention: Pattern = Field("full", description="cross = a token asks its own channel and its own time alone; channel = its channel")

    @model_validator(mode="after")
    def heads_divide_width(self) -> EncoderSettings:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of heads {self.heads}")
        if (self.positions == "table") != bool(self.table) or min(self.table, default=1) < 1:
            raise ValueError("positions 'table' and table, its places by axis, need each other: {positions: table, table: [14, 14]}")
        if self.positions.startswith("rotary") and (self.width // self.heads) % 2:
            raise ValueError(f"rotary positions need an even head width, not {self.width} / {self.heads}")
        return self


class TransformerEncoder(Encoder):
    """Pre-norm ViT over tokens: drops hidden tokens, or masks them as keys. Registers and condition go in front."""

    caps: ClassVar[frozenset[str]] = frozenset({"drop", "key_mask"})

    def __init__(self, settings: EncoderSettings, *, axes: int) -> None:
        super().__init__()
        self.settings = settings
        self.width, self.depth, self.axes = settings.width, settings.depth, axes
        self.blocks = nn.ModuleList(Block(settings.width, settings.heads, settings.mlp_ratio) for _ in range(settings.depth))
        self.norm = nn.LayerNorm(settings.width, eps=1e-6)
        initialise(self, self.blocks)
        if settings.table and len(settings.table) != axes:
            raise ConfigError(f"encoder.table has {len(settings.table)} axes, the tokens have {axes}; give one number an axis")
        self.table = nn.Parameter(0.02 * torch.randn(prod(settings.table), settings.width)) if settings.table else None
        self.registers = nn.Parameter(0.02 * torch.randn(settings.registers, settings.width)) if settings.registers else None
        self.channel_embedding = nn.Embedding(settings.channels, settings.width) if settings.channels else None
        self.condition = nn.Linear(settings.condition_width, settings.width) if settings.condition_width else None
        if self.channel_embedding is not None:
            nn.init.trunc_normal_(self.channel_embedding.weight, std=0.02)

    def forward(
        self,
        x: Tensor,
        coords: Tensor,
        valid: Tensor | None = None,
        *,
        channel: Tensor | None = None,
        prefix: Tensor | None = None,
        condition: Condition | None = None,
        levels: tuple[int, ...] = (),
        grid: tuple[int, ...] | None = None,
    ) -> Features:
        x = self._with_positions(x, coords, channel)
        front = self._prefix(x, prefix, condition)
        ahead = 0 if front is None else front.shape[1]
        if front is not None:
            x = torch.cat((front, x), dim=1)
        mask = allowed(self.settings.attention, coords, channel, valid, ahead=ahead)
        turns = self._turns(coords, ahead)
        wanted = {level % self.depth for level in levels}
        kept: dict[int, Tensor] = {}
        for number, block in enumerate(self.blocks):
            x = block(x, mask, turns)
            if number in wanted:
                kept[number] = x[:, ahead:]
        x = self.norm(x)
        return Features(
            last=x[:, ahead:],
            levels=tuple(kept[level % self.depth] for level in levels),
            prefix=x[:, :ahead] if ahead else None,
            valid=valid,
        )

    def _with_positions(self, x: Tensor, coords: Tensor, channel: Tensor | None) -> Tensor:
        if self.settings.positions == "sincos" and self.axes:
            table = sincos(coords, self.width, scale=self.settings.coord_scale) * self.settings.position_gain
            x = x + table.to(x.dtype)
        if self.table is not None:
            table = self.table.unflatten(0, self.settings.table)
            x = x + from_table(coords, table, scale=self.settings.coord_scale).to(x.dtype)
        if self.channel_embedding is not None and channel is not None:
            x = x + self.channel_embedding(channel.long()).to(x.dtype)
        return x

    def _prefix(self, x: Tensor, prefix: Tensor | None, condition: Condition | None) -> Tensor | None:
        parts = [] if prefix is None else [prefix]
        if self.registers is not None:
            parts.append(self.registers.to(x.dtype).expand(x.shape[0], -1, -1))
        if self.condition is not None and condition is not None and condition.vec is not None:
            parts.append(self.condition(condition.vec.to(x.dtype))[:, None])
        return torch.cat(parts, dim=1) if parts else None

    def _turns(self, coords: Tensor, ahead: int) -> tuple[Tensor, Tensor] | None:
        if not self.settings.positions.startswith("rotary") or not self.axes:
            return None
        turn = rotary_tiled if self.settings.positions == "rotary-tiled" else rotary
        cos, sin = turn(coords, self.width // self.settings.heads, scale=self.settings.coord_scale)
        rest = cos.shape[0], ahead, cos.shape[2]
        return torch.cat((cos.new_ones(rest), cos), dim=1), torch.cat((sin.new_zeros(rest), sin), dim=1)
