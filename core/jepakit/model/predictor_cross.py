"""The predictor whose queries ask the context and never each other: cheapest for many queries."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from jepakit.contracts import Condition, Predictor
from jepakit.model.attention import CrossAttention, Mlp
from jepakit.model.patterns import key_mask
from jepakit.model.predictor import PredictorSettings, QueryEmbedding


class CrossSettings(PredictorSettings):
    """Options of the cross-attending predictor; the same as those of the transformer predictor."""


class CrossBlock(nn.Module):
    """Pre-norm: x + cross-attention(norm(x), memory), then x + mlp(norm(x))."""

    def __init__(self, width: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, eps=1e-6)
        self.attention = CrossAttention(width, heads)
        self.mlp_norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, int(width * mlp_ratio))

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor | None) -> Tensor:
        x = x + self.attention(self.attention_norm(x), memory, mask)
        return x + self.mlp(self.mlp_norm(x))


class CrossPredictor(Predictor):
    """Each query attends to the context only, so groups of queries are independent for free.

    Source: CrossMAE, Fu et al. 2024 (arXiv 2401.14391), section 3; 3D-JEPA, Hu et al. 2024 (arXiv 2409.15803), section 3.
    """

    style: Literal["concat", "cross", "pointwise", "dense_fill", "causal"] = "cross"

    def __init__(self, settings: CrossSettings, *, context_width: int, target_width: int) -> None:
        super().__init__()
        self.entry = nn.Linear(context_width, settings.width)
        self.memory_norm = nn.LayerNorm(settings.width, eps=1e-6)
        self.blocks = nn.ModuleList(CrossBlock(settings.width, settings.heads, settings.mlp_ratio) for _ in range(settings.depth))
        self.norm = nn.LayerNorm(settings.width, eps=1e-6)
        self.exit = nn.Linear(settings.width, target_width)
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.trunc_normal_(part.weight, std=0.02)
                nn.init.zeros_(part.bias)
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
        memory = self.memory_norm(self.queries.place(self.entry(context), context_coords, context_channel))
        mask = key_mask(context_valid)
        x = self.queries(query_coords, query_kind, query_channel, condition)
        for block in self.blocks:
            x = block(x, memory, mask)
        return self.exit(self.norm(x))
