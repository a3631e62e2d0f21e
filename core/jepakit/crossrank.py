"""Statistics over all ranks, with gradients: the only module that does so. Without `torch.distributed` each is the identity.

Convention: every rank computes the same loss from the gathered statistic. The backward pass sums over ranks, and a data-parallel
wrapper averages parameter gradients; together that is exactly the gradient of the same batch in one process. A gather without
gradient looks right in its value and trains another objective.

All functions but `world_size` are collective: every rank calls them, in the same order, or all of them hang.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    """Number of ranks; 1 when nothing is distributed."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def sum_over_ranks(x: Tensor) -> Tensor:
    """Sum of `x`, of the same shape on every rank. Differentiable."""
    if world_size() == 1:
        return x
    total: Tensor = _Sum.apply(x)  # type: ignore[no-untyped-call]
    return total


def mean_over_ranks(x: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    """Mean of `x` weighted by each rank's `weight`, e.g. its number of rows. Differentiable in `x`, not in `weight`."""
    if world_size() == 1:
        return x
    mass = torch.as_tensor(weight, dtype=x.dtype, device=x.device).detach()
    return sum_over_ranks(x * mass) / sum_over_ranks(mass)


def all_gather_rows(x: Tensor) -> Tensor:
    """The rows of all ranks in rank order: (n, ...) with n of its own on each rank → (sum of n, ...). Differentiable.

    Each rank lays its rows into a table of zeros and the tables are summed: exact, and no padding of ragged ranks.
    """
    if world_size() == 1:
        return x
    counts = _row_counts(x)
    start = sum(counts[: dist.get_rank()])
    table = x.new_zeros(sum(counts), *x.shape[1:])
    return sum_over_ranks(torch.cat((table[:start], x, table[start + len(x) :])))


def _row_counts(x: Tensor) -> list[int]:
    counts = torch.zeros(world_size(), dtype=torch.int64, device=x.device)
    counts[dist.get_rank()] = len(x)
    dist.all_reduce(counts)
    return [int(count) for count in counts.tolist()]


class _Sum(torch.autograd.Function):
    """y = sum over ranks of x. Each rank's loss depends on every x through y, hence the sum in the backward pass as well."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        total = grads[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total
