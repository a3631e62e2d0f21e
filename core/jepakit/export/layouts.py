"""How other programs name the tensors of a plain pre-norm vision transformer. Data only; recognised by the names, never by a title."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ATTENTION_NORM, MLP_NORM, OUT, INNER, OUTER = "attention_norm", "mlp_norm", "attention.out", "mlp.inner", "mlp.out"
"""Parts of a block of ours; a foreign one may keep query, key and value apart, ours has them in one tensor."""


@dataclass(frozen=True)
class Layout:
    """Names in one program, without ".weight" and ".bias".

    patch: the projection of patches. block: in front of the parts of block {n}. parts: part of ours → name there. qkv: one name or
    three. norm: the last one. table: learned positions, "" where positions turn queries and keys. prefix: learned tokens in front.
    """

    patch: str
    block: str
    parts: dict[str, str]
    qkv: tuple[str, ...]
    norm: str
    table: str = ""
    prefix: tuple[str, ...] = ()


LAYOUTS = (
    Layout(  # transformers 5, images
        patch="embeddings.patch_embeddings.projection",
        block="layers.{n}.",
        parts={
            ATTENTION_NORM: "layernorm_before",
            MLP_NORM: "layernorm_after",
            OUT: "attention.o_proj",
            INNER: "mlp.fc1",
            OUTER: "mlp.fc2",
        },
        qkv=("attention.q_proj", "attention.k_proj", "attention.v_proj"),
        norm="layernorm",
        table="embeddings.position_embeddings",
        prefix=("embeddings.cls_token",),
    ),
    Layout(  # transformers 4, images: what released checkpoints hold
        patch="embeddings.patch_embeddings.projection",
        block="encoder.layer.{n}.",
        parts={
            ATTENTION_NORM: "layernorm_before",
            MLP_NORM: "layernorm_after",
            OUT: "attention.output.dense",
            INNER: "intermediate.dense",
            OUTER: "output.dense",
        },
        qkv=("attention.attention.query", "attention.attention.key", "attention.attention.value"),
        norm="layernorm",
        table="embeddings.position_embeddings",
        prefix=("embeddings.cls_token",),
    ),
    Layout(  # transformers, videos
        patch="encoder.embeddings.patch_embeddings.proj",
        block="encoder.layer.{n}.",
        parts={ATTENTION_NORM: "norm1", MLP_NORM: "norm2", OUT: "attention.proj", INNER: "mlp.fc1", OUTER: "mlp.fc2"},
        qkv=("attention.query", "attention.key", "attention.value"),
        norm="encoder.layernorm",
    ),
    Layout(  # timm, plain
        patch="patch_embed.proj",
        block="blocks.{n}.",
        parts={ATTENTION_NORM: "norm1", MLP_NORM: "norm2", OUT: "attn.proj", INNER: "mlp.fc1", OUTER: "mlp.fc2"},
        qkv=("attn.qkv",),
        norm="norm",
        table="pos_embed",
        prefix=("cls_token", "reg_token"),
    ),
)
NOT_ENCODER = ("head.", "classifier.", "pooler.", "predictor.", "fc_norm.", "embeddings.mask_token", "attention_pooler.")
"""Beginnings of names that are no part of the encoder: heads, poolers, predictors."""


def recognised(names: Iterable[str]) -> tuple[Layout, str] | None:
    """The layout of these tensors, and what stands in front of all their names ("model." for example); None for others."""
    known = set(names)
    for layout in LAYOUTS:
        ends = [f"{layout.patch}.weight", f"{layout.block.format(n=0)}{layout.qkv[0]}.weight"]
        for name in known:
            front = name.removesuffix(ends[0])
            if front != name and front + ends[1] in known:
                return layout, front
    return None
