"""Running products and Horner's rule give what cosines and sines give, gradient included."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from jepakit.characteristic import characteristic


def written_out(x: Tensor, gap: float, nodes: int) -> tuple[Tensor, Tensor]:
    angles = torch.arange(nodes, dtype=x.dtype)[:, None, None] * gap * x
    return angles.cos().mean(1), angles.sin().mean(1)


def samples(dtype: torch.dtype = torch.float64) -> Tensor:
    return 3 * torch.randn(7, 5, generator=torch.Generator().manual_seed(0), dtype=dtype)


@pytest.mark.parametrize("nodes", [2, 3, 17])
def test_values_are_those_of_the_definition(nodes: int) -> None:
    torch.testing.assert_close(characteristic(samples(), 0.1875, nodes), written_out(samples(), 0.1875, nodes))


def test_single_precision_loses_little_over_the_products() -> None:
    x = samples(torch.float32)
    torch.testing.assert_close(characteristic(x, 0.1875, 17), written_out(x, 0.1875, 17), atol=5e-6, rtol=0)


def test_the_gradient_is_that_of_the_definition() -> None:
    weight = torch.randn(2, 17, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    gradients = []
    for function in (characteristic, written_out):
        x = samples().requires_grad_()
        (torch.stack(function(x, 0.1875, 17)) * weight).sum().backward()
        gradients.append(x.grad)
    torch.testing.assert_close(*gradients)


def test_gradients_agree_with_finite_differences() -> None:
    assert torch.autograd.gradcheck(lambda x: characteristic(x, 0.4, 6), (samples().requires_grad_(),))
