"""The attentive probe: a learned query looks over the tokens, once a head, then a linear layer (as V-JEPA is probed, arXiv 2404.08471).

Simpler than the published one: no value projection and no MLP behind it, so that it fits within seconds on one core.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from jepakit.evaluate.labels import Task
from jepakit.evaluate.neural import NeuralProbe, Plan

HEADS, STEPS, BATCH, RATE = 4, 600, 128, 3e-3
"""Of the optimiser: AdamW, cosine decay to zero. Chosen to end within a minute for 10,000 samples of 64 x 384, not tuned for score."""


class _Attention(nn.Module):
    """Tokens (B, N, D), standardised, → (B, out)."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, HEADS, bias=False)
        self.out = nn.Linear(HEADS * width, out)
        nn.init.zeros_(self.query.weight)  # starts as the mean of all tokens

    def forward(self, tokens: Tensor) -> Tensor:
        share = self.query(tokens).softmax(1)
        return self.out(torch.einsum("bnh,bnd->bhd", share, tokens).flatten(1))


def attentive_probe(task: Task, decay: float, seed: int) -> NeuralProbe:
    """Over tokens (M, N, D)."""
    return NeuralProbe(task, _Attention, Plan(lambda _: STEPS, BATCH, RATE, decay), seed)
