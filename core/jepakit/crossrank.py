"""Statistics over all ranks, with gradients: the only module that does so. Without `torch.distributed` each is the identity.

Convention: every rank computes the same loss from the gathered statistic. The backward pass sums over ranks, and a data-parallel
wrapper averages parameter gradients; together that is exactly the gradient of the same batch in one process. A gather without
gradient looks right in its value and trains another objective.

All functions but `world_size` and `rank` are collective: every rank calls them, in the same order, or all of them hang.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from jepakit.errors import RankLost


def world_size() -> int:
    """Number of ranks; 1 when nothing is distributed."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Number of this rank, from 0; 0 when nothing is distributed."""
    return dist.get_rank() if world_size() > 1 else 0


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
    total = sum_over_ranks(torch.cat(((x * mass).flatten(), mass.reshape(1))))  # one sum: on a CPU each costs a millisecond
    return (total[:-1] / total[-1]).view_as(x)


def moments_over_ranks(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance over the rows (n, ...) of all ranks, (...) each. Differentiable."""
    mean = rows.mean(0)
    square = (rows - mean).square().mean(0)
    if world_size() == 1:
        return mean, square
    whole, both = mean_over_ranks(torch.stack((mean, square + mean.square())), len(rows))
    return whole, both - whole.square()


def ratio_over_ranks(total: Tensor, mass: Tensor) -> Tensor:
    """total / mass, both summed over ranks first: the weighted mean of one process, however the rows lie on ranks.

    Args:
        total: (k, ...). mass: (k, ...), without gradient, broadcastable to it. Ranks may differ in k: what one lacks counts nothing.

    Returns:
        (K, ...), K the largest k of all ranks; 0 where the mass is 0.
    """
    if world_size() > 1:
        missing = max(_row_counts(total)) - len(total)
        total, mass = (sum_over_ranks(torch.cat((part, part.new_zeros(missing, *part.shape[1:])))) for part in (total, mass))
    return total / mass.clamp_min(1e-8)


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
    _add_up(counts)
    return [int(count) for count in counts.tolist()]


def _add_up(x: Tensor) -> None:
    """The sum over ranks, in place. RankLost when one of them is gone."""
    try:
        dist.all_reduce(x)
    except RuntimeError as error:  # all that gloo and NCCL raise
        raise RankLost(f"another process of this run has ended: {' '.join(str(error).split())}") from error


class _Sum(torch.autograd.Function):
    """y = sum over ranks of x. Each rank's loss depends on every x through y, hence the sum in the backward pass as well."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        _add_up(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        total = grads[0].clone(memory_format=torch.contiguous_format)
        _add_up(total)
        return total
