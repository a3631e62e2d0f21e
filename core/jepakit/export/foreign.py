"""Weights of other programs' vision transformers, renamed into ours: the same function, or an error that says what is different."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from jepakit.errors import ConfigError
from jepakit.export.layouts import NOT_ENCODER, Layout, recognised
from jepakit.model.encoder import EncoderSettings

HEAD_WIDTH = 64
"""Of all plain vision transformers of timm and of the released encoders but the very largest; a config.json says it for the others."""


@dataclass(frozen=True)
class Translated:
    """settings: of our encoder. encoder: its state dict. patch: the projection (D, C, …, P, P) and its bias (D,)."""

    settings: EncoderSettings
    encoder: Mapping[str, Tensor]
    patch: tuple[Tensor, Tensor]


def translate(tensors: Mapping[str, Tensor], heads: int | None = None) -> Translated:
    """A plain pre-norm vision transformer as our encoder.

    Args:
        tensors: of a .safetensors file. heads: where the head width is not 64.

    Raises:
        ConfigError: the names are of no layout that is known, or the model holds parts that our encoder lacks.
    """
    match = recognised(tensors)
    if match is None:
        raise ConfigError("these weights are of no layout that is known: a plain vision transformer of transformers or timm is expected")
    layout, front = match
    rest = {name.removeprefix(front): tensor.float() for name, tensor in tensors.items() if name.startswith(front)}
    rest = {name: tensor for name, tensor in rest.items() if not name.startswith(NOT_ENCODER)}
    patch = (taken(rest, f"{layout.patch}.weight"), taken(rest, f"{layout.patch}.bias"))
    width = len(patch[0])
    heads = heads or max(1, width // HEAD_WIDTH)
    if width % heads:
        raise ConfigError(f"{heads} heads do not divide the width {width}; give the right number with --heads")
    encoder: dict[str, Tensor] = {}
    depth = 0
    while any(name.startswith(layout.block.format(n=depth)) for name in rest):
        encoder |= block(rest, layout, depth, heads)
        depth += 1
    encoder |= {f"norm.{end}": taken(rest, f"{layout.norm}.{end}") for end in ("weight", "bias")}
    hidden = encoder["blocks.0.mlp.inner.weight"].shape[0]
    options: dict[str, Any] = {"width": width, "depth": depth, "heads": heads, "mlp_ratio": hidden / width, "positions": "rotary-tiled"}
    if layout.table:
        encoder |= (found := places(rest, layout))
        registers = len(found.get("registers", ()))
        options |= {"positions": "table", "table": [math.isqrt(len(found["table"]))] * 2, "registers": registers}
    if rest:
        raise ConfigError(f"this model has parts that our encoder lacks: {', '.join(sorted(rest)[:4])}; only plain pre-norm encoders fit")
    return Translated(EncoderSettings.model_validate(options), encoder, patch)


def block(rest: dict[str, Tensor], layout: Layout, number: int, heads: int) -> dict[str, Tensor]:
    """One block under our names; what is taken leaves `rest`."""
    front = layout.block.format(n=number)
    found = {f"{ours}.{end}": taken(rest, f"{front}{theirs}.{end}") for ours, theirs in layout.parts.items() for end in ("weight", "bias")}
    weight = torch.cat([taken(rest, f"{front}{name}.weight") for name in layout.qkv])
    biases = [rest.pop(f"{front}{name}.bias", None) for name in layout.qkv]
    bias = torch.cat([torch.zeros(len(weight) // len(biases)) if part is None else part for part in biases])
    if not layout.table:
        weight, bias = (halves(part, heads) for part in (weight, bias))
    return {
        f"blocks.{number}.{name}": tensor for name, tensor in (found | {"attention.qkv.weight": weight, "attention.qkv.bias": bias}).items()
    }


def halves(qkv: Tensor, heads: int) -> Tensor:
    """Channels of queries and keys reordered: pairs that are neighbours become (i, i + d/2). Products of the two stay the same."""
    parts = qkv.unflatten(0, (3, heads, -1)).clone()
    parts[:2] = torch.cat((parts[:2, :, 0::2], parts[:2, :, 1::2]), dim=2)
    return parts.flatten(0, 2)


def places(rest: dict[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """The table of learned positions of a square grid, and tokens in front with their own positions added."""
    table = taken(rest, layout.table)[0]
    front = [rest.pop(name)[0] for name in layout.prefix if name in rest]
    prefix = torch.cat(front) if front else table.new_zeros(0, table.shape[1])
    ahead = 0 if math.isqrt(len(table)) ** 2 == len(table) else len(prefix)
    if math.isqrt(len(table) - ahead) ** 2 != len(table) - ahead:
        raise ConfigError(f"the table has {len(table)} positions, which is no square grid; only square ones can be taken over")
    prefix[:ahead] += table[:ahead]
    return {"table": table[ahead:]} | ({"registers": prefix} if len(prefix) else {})


def taken(rest: dict[str, Tensor], name: str) -> Tensor:
    """One tensor, which leaves `rest`; ConfigError when it is missing."""
    if name not in rest:
        raise ConfigError(f"these weights lack {name}; only plain pre-norm encoders with a last norm fit")
    return rest.pop(name)
