"""The empirical characteristic function on evenly spaced nodes, with a backward pass that needs no sine or cosine.

e^(i k gap x) is the k-th power of e^(i gap x), so the values are running products and the gradient is a polynomial in e^(i gap x),
evaluated by Horner's rule. Through `cos` and `sin` of every node it took a tenth of the step of a small encoder.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def characteristic(x: Tensor, gap: float, nodes: int) -> tuple[Tensor, Tensor]:
    """Mean over rows of cos(t x) and sin(t x) at t = 0, gap, …, (nodes - 1) gap.

    Args:
        x: (R, S) float32 or float64.

    Returns:
        real and imaginary part, (nodes, S) each, dtype of x, differentiable once.
    """
    real, imaginary = _Characteristic.apply(x, gap, nodes)  # type: ignore[no-untyped-call]  # torch types it so
    return real, imaginary


class _Characteristic(torch.autograd.Function):
    """Keeps e^(i gap x) alone between the passes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gap: float, nodes: int) -> tuple[Tensor, Tensor]:
        turn = torch.polar(torch.ones_like(x), x * gap)
        power = torch.ones_like(turn)
        means = [power.mean(0)]
        for _ in range(nodes - 1):
            power = power * turn
            means.append(power.mean(0))
        ctx.save_for_backward(turn)
        ctx.gap = gap
        found = torch.view_as_real(torch.stack(means))
        return found[..., 0].contiguous(), found[..., 1].contiguous()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """With g = real + i imaginary, the gradient of a node t is t (imaginary cos(t x) - real sin(t x)) = t Re(i conj(g) e^(i t x))."""
        (turn,) = ctx.saved_tensors
        real, imaginary = grads
        steps = torch.arange(len(real), device=real.device, dtype=real.dtype)[:, None] * (ctx.gap / len(turn))
        # i * (real - i imaginary) = imaginary + i real
        factors = torch.complex(imaginary * steps, real * steps)
        total = factors[-1].expand_as(turn)
        for factor in reversed(factors[:-1].unbind(0)):
            total = torch.addcmul(factor, total, turn)
        return total.real, None, None
