"""Two attention kernels, one answer; a last block that computes only what is asked for."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from jepakit.model.attention import Attention, Block, ProductAttention, attend, rotate
from jepakit.model.positions import rotary


def qkv(dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, 5, 8, generator=generator, dtype=torch.float64).to(dtype).requires_grad_(True) for _ in range(3)]


def key_mask() -> torch.Tensor:
    mask = torch.ones(2, 1, 1, 5, dtype=torch.bool)
    mask[1, ..., 3:] = False
    return mask


@pytest.mark.parametrize("masked", [False, True])
def test_products_equal_the_fused_kernel_and_so_do_their_gradients(masked: bool) -> None:
    mask = key_mask() if masked else None
    flat = None if mask is None else mask.expand(2, 3, 5, 5).flatten(0, 1)
    ours, theirs = qkv(), qkv()
    out = ProductAttention.apply(*(part.flatten(0, 1) for part in ours), flat).unflatten(0, (2, 3))
    expected = F.scaled_dot_product_attention(*theirs, attn_mask=mask)
    torch.testing.assert_close(out, expected)
    weights = torch.randn(out.shape, dtype=out.dtype, generator=torch.Generator().manual_seed(1))
    (out * weights).sum().backward()
    (expected * weights).sum().backward()
    for a, b in zip(ours, theirs):
        torch.testing.assert_close(a.grad, b.grad)


def test_gradient_of_products_by_finite_differences() -> None:
    assert torch.autograd.gradcheck(
        ProductAttention.apply, (*(part.detach().flatten(0, 1)[:2].requires_grad_(True) for part in qkv()), None)
    )


def test_bfloat16_on_a_cpu_takes_products_and_stays_close() -> None:
    exact = attend(*qkv(torch.float32))
    assert attend(*qkv(torch.bfloat16)).grad_fn is not None
    torch.testing.assert_close(attend(*qkv(torch.bfloat16)).float(), exact, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("masked", [False, True])
def test_the_tail_of_a_block_is_the_end_of_the_whole(masked: bool) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        block, x = Block(16, 2), torch.randn(2, 5, 16)
    mask = key_mask() if masked else None
    torch.testing.assert_close(block(x, mask, tail=2), block(x, mask)[:, -2:])


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="no multiple"):
        Attention(10, 3)


def test_rotary_attention_sees_distances_only() -> None:
    """Scores of rotated queries and keys do not change when all coordinates are shifted."""
    generator = torch.Generator().manual_seed(0)
    q, k = (torch.randn(1, 1, 4, 12, generator=generator) for _ in range(2))
    coords = 5 * torch.rand(1, 4, 3, generator=generator)
    scores = []
    for shift in (0.0, 2.5):
        turns = rotary(coords + shift, 12)
        scores.append(rotate(q, *turns) @ rotate(k, *turns).transpose(-2, -1))
    torch.testing.assert_close(scores[0], scores[1], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(scores[0], q @ k.transpose(-2, -1), atol=1e-2)
