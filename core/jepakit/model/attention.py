"""Multi-head attention over ragged rows, and the pre-norm transformer block around it.

Two kernels compute the same thing. torch's fused one is best for long rows and on accelerators. On a CPU its backward in bfloat16
is slower than plain matrix products for rows of fewer than about 512 tokens (prototypes said so), so there
`ProductAttention` is used, with a backward written by hand that keeps only the probabilities.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

PRODUCT_MAX_TOKENS = 512
"""Rows up to this long use matrix products on a CPU in bfloat16. From prototypes with torch 2.13, where the switch lay at 512 to 1024."""


class ProductAttention(torch.autograd.Function):
    """softmax(q kᵀ / √d) v by matrix products; q, k, v are (G, n, d) with G = rows x heads, mask (G or 1, n, m) bool or None."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        scale = q.shape[-1] ** -0.5
        scores = torch.baddbmm(q.new_empty(1, 1, 1), q, k.transpose(1, 2), beta=0, alpha=scale)
        if mask is not None:
            scores = scores.masked_fill_(~mask, torch.finfo(scores.dtype).min)
        probabilities = scores.softmax(-1)
        out = torch.bmm(probabilities, v)
        ctx.save_for_backward(q, k, v, probabilities, out)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        q, k, v, probabilities, out = ctx.saved_tensors
        scale = q.shape[-1] ** -0.5
        grad_v = torch.bmm(probabilities.transpose(1, 2), grad)
        # d softmax: p * (dp - sum(p * dp)), and the row sum equals sum(grad * out), which is d wide instead of m.
        grad_scores = torch.bmm(grad, v.transpose(1, 2)).sub_((grad * out).sum(-1, keepdim=True)).mul_(probabilities)
        grad_q = torch.baddbmm(q.new_empty(1, 1, 1), grad_scores, k, beta=0, alpha=scale)
        grad_k = torch.baddbmm(k.new_empty(1, 1, 1), grad_scores.transpose(1, 2), q, beta=0, alpha=scale)
        return grad_q, grad_k, grad_v, None


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention.

    Args:
        q: (R, H, n, d); k, v: (R, H, m, d).
        mask: bool, broadcastable to (R, H, n, m), True = may be attended to; every row of it must hold at least one True.

    Returns:
        (R, H, n, d), dtype of q.

    Source: Vaswani et al. 2017 (arXiv 1706.03762), section 3.2.1.
    """
    on_slow_path = q.device.type == "cpu" and q.dtype == torch.bfloat16 and k.shape[2] <= PRODUCT_MAX_TOKENS
    if not on_slow_path:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    rows, heads = q.shape[:2]
    if mask is not None:
        mask = mask.expand(rows, heads, mask.shape[2], k.shape[2]).flatten(0, 1)
    out: Tensor = ProductAttention.apply(  # type: ignore[no-untyped-call]  # torch types it so
        q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), mask
    )
    return out.unflatten(0, (rows, heads))


class Attention(nn.Module):
    """Self-attention, or cross-attention when `memory` is given."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is no multiple of the {heads} heads")
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self, x: Tensor, mask: Tensor | None = None, rotary: tuple[Tensor, Tensor] | None = None, tail: int | None = None
    ) -> Tensor:
        """x (R, n, D) → (R, n, D), or (R, tail, D): only the last `tail` tokens ask, all are asked."""
        qkv = rearrange(self.qkv(x), "r n (part h d) -> part r h n d", part=3, h=self.heads)
        q, k, v = qkv.unbind(0)
        if rotary is not None:
            q, k = rotate(qkv[:2], *rotary).unbind(0)
        if tail is not None:
            q = q[:, :, -tail:]
            mask = mask[:, :, -tail:] if mask is not None and mask.shape[2] > 1 else mask
        return self.out(rearrange(attend(q, k, v, mask), "r h n d -> r n (h d)"))


class CrossAttention(nn.Module):
    """Queries (R, nq, D) ask a memory (R, m, D)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor | None = None) -> Tensor:
        q = rearrange(self.q(x), "r n (h d) -> r h n d", h=self.heads)
        k, v = rearrange(self.kv(memory), "r m (part h d) -> part r h m d", part=2, h=self.heads).unbind(0)
        return self.out(rearrange(attend(q, k, v, mask), "r h n d -> r n (h d)"))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions: x (..., R, H, n, d) with pairs (i, i + d/2); cos, sin (R, n, d/2), or (R, n, d) where members of a pair differ.

    Source: Su et al. (arXiv 2104.09864), section 3.2.
    """
    cos, sin = cos[:, None].to(x.dtype), sin[:, None].to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    if cos.shape[-1] == x.shape[-1]:
        return x * cos + torch.cat((-second, first), dim=-1) * sin
    return torch.cat((first * cos - second * sin, first * sin + second * cos), dim=-1)


class Mlp(nn.Module):
    """Linear, GELU (erf form: the tanh form is several times slower in bfloat16 on a CPU), linear."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, hidden)
        self.out = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.gelu(self.inner(x)))


class Block(nn.Module):
    """Pre-norm transformer block: x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, width: int, heads: int, mlp_ratio: float = 4.0) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, eps=1e-6)
        self.attention = Attention(width, heads)
        self.mlp_norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, int(width * mlp_ratio))

    def forward(
        self, x: Tensor, mask: Tensor | None = None, rotary: tuple[Tensor, Tensor] | None = None, tail: int | None = None
    ) -> Tensor:
        """x (R, n, D) → (R, n, D), or the last `tail` tokens only, which is exact and cheaper in a last block."""
        asked = self.attention(self.attention_norm(x), mask, rotary, tail)
        x = (x if tail is None else x[:, -tail:]) + asked
        return x + self.mlp(self.mlp_norm(x))


def initialise(module: nn.Module, blocks: nn.ModuleList) -> None:
    """Truncated normal 0.02 for linear weights, zero biases, and the two outputs of block l scaled by 1/√(2l).

    Source: I-JEPA, Assran et al. 2023 (arXiv 2301.08243), appendix A; the depth scaling is that of BEiT (arXiv 2106.08254), section 2.5.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.trunc_normal_(part.weight, std=0.02)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    for number, block in enumerate(blocks, start=1):
        assert isinstance(block, Block)
        with torch.no_grad():
            for branch in (block.attention.out, block.mlp.out):
                branch.weight.div_((2.0 * number) ** 0.5)
