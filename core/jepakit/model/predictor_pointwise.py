"""The predictor that maps each context token to the target at the same place: for targets in another stream."""

from __future__ import annotations

import itertools
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from jepakit.contracts import Condition, Predictor
from jepakit.errors import ContractError
from jepakit.settings import Settings


class PointwiseSettings(Settings):
    """Options of the position-wise predictor."""

    hidden: int = Field(512, ge=1, description="hidden width of the MLP")
    depth: int = Field(2, ge=1, description="number of hidden layers")
    condition_width: int = Field(0, ge=0, description="width of a condition vector concatenated to every token; 0 = none")


class PointwisePredictor(Predictor):
    """An MLP on each context token beside the condition; query i is answered by context token i.

    Source: Stem-JEPA, Riou et al. 2024 (arXiv 2408.02514), section 3.2.
    """

    style: Literal["concat", "cross", "pointwise", "dense_fill", "causal"] = "pointwise"

    def __init__(self, settings: PointwiseSettings, *, context_width: int, target_width: int) -> None:
        super().__init__()
        self.condition_width = settings.condition_width
        widths = [context_width + settings.condition_width, *[settings.hidden] * settings.depth]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Linear(before, after), nn.GELU()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], target_width))

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
        if context_coords.shape[1] != query_coords.shape[1]:
            raise ContractError(
                f"the pointwise predictor got {query_coords.shape[1]} queries for {context_coords.shape[1]} context tokens; "
                "it answers query i from context token i: use the masker 'full' with queries in the target stream"
            )
        if self.condition_width:
            if condition is None or condition.vec is None:
                raise ContractError(
                    f"the pointwise predictor was built for a condition of width {self.condition_width}; the batch has none"
                )
            vec = condition.vec.to(context.dtype)[:, None].expand(-1, context.shape[1], -1)
            context = torch.cat((context, vec), dim=-1)
        out: Tensor = self.layers(context)
        return out
