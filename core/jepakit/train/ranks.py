"""One run on several processes: each reads its rows of every batch, gradients are averaged, rank 0 alone writes.

`jepakit train … --ranks 2` starts them on this machine (jepakit.cli.ranks); `torchrun -m jepakit train …` does too, on several as well.
Who is who stands in the environment, as torchrun puts it there. Everything is built on the one sum over ranks of `jepakit.crossrank`,
and with one process nothing here does anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from jepakit.crossrank import all_gather_rows, mean_over_ranks, rank, sum_over_ranks, world_size
from jepakit.errors import RankLost
from jepakit.horizon import Horizon

MEETING = "JEPAKIT_RANKS_AT"
"""Environment variable: where ranks that `jepakit` started find each other; torchrun's are found by MASTER_ADDR."""
PATIENCE = timedelta(minutes=30)
"""How long a rank waits for another: rank 0 may be busy with a probe or a slow disk meanwhile."""


@contextmanager
def joined() -> Iterator[None]:
    """Among the ranks that the environment speaks of, until the block ends; alone where it speaks of none."""
    size = int(os.environ.get("WORLD_SIZE", 1))
    if size == 1 or dist.is_initialized():
        yield
        return
    local, own = int(os.environ.get("LOCAL_RANK", 0)), torch.get_num_threads()
    if torch.cuda.is_available():
        torch.cuda.set_device(local % torch.cuda.device_count())
    torch.set_num_threads(threads_each(int(os.environ.get("LOCAL_WORLD_SIZE", size))))
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
            init_method=os.environ.get(MEETING, "env://"),
            rank=int(os.environ["RANK"]),
            world_size=size,
            timeout=PATIENCE,
        )
        yield
    except dist.DistError as error:
        raise RankLost(f"the {size} processes of this run did not find each other: {' '.join(str(error).split())}") from error
    finally:
        torch.set_num_threads(own)
        if dist.is_initialized():
            dist.destroy_process_group()


def threads_each(ranks: int) -> int:
    """Threads of a rank when so many share this machine; OMP_NUM_THREADS decides where it is set."""
    if "OMP_NUM_THREADS" in os.environ:
        return torch.get_num_threads()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // ranks)


@torch.no_grad()
def share_weights(module: nn.Module) -> None:
    """Gives every rank the weights and buffers of rank 0."""
    if world_size() == 1:
        return
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.copy_(from_first(tensor.to(torch.uint8) if tensor.dtype == torch.bool else tensor))


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """The mean over ranks of every gradient, in one sum. A parameter without gradient on some ranks counts as zero there."""
    if world_size() == 1:
        return
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    used = torch.tensor([float(parameter.grad is not None) for parameter in trained], device=trained[0].device)
    grads = [torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in trained]
    total = sum_over_ranks(torch.cat([used, *(grad.flatten() for grad in grads)])) / world_size()
    seen, *means = total.split([len(used), *(grad.numel() for grad in grads)])
    for parameter, mean, share in zip(trained, means, seen.tolist()):
        parameter.grad = mean.view_as(parameter) if share else None


def from_first(x: Tensor) -> Tensor:
    """What rank 0 has, of the same shape on every rank."""
    return x if world_size() == 1 else sum_over_ranks(x if rank() == 0 else torch.zeros_like(x))


def on_any(flag: bool) -> bool:
    """Whether the flag is up on any rank."""
    return flag if world_size() == 1 else bool(sum_over_ranks(torch.tensor(int(flag))))


def agreed(horizon: Horizon) -> Horizon:
    """The horizon of rank 0: clocks differ, schedules must not."""
    if world_size() == 1:
        return horizon
    total, start, progress = from_first(torch.tensor(astuple(horizon), dtype=torch.float64)).tolist()
    return Horizon(int(total), int(start), progress)


def averaged(numbers: dict[str, float]) -> dict[str, float]:
    """The mean over ranks of numbers that all of them have."""
    if world_size() == 1:
        return numbers
    means = mean_over_ranks(torch.tensor([numbers[name] for name in sorted(numbers)], dtype=torch.float64)).tolist()
    return dict(zip(sorted(numbers), means))


def of_all(ids: list[str]) -> list[str]:
    """The names that any rank has, in the order of ranks."""
    if world_size() == 1:
        return ids
    letters = torch.tensor(list("".join(f"{name}\0" for name in ids).encode()), dtype=torch.uint8)
    return bytes(all_gather_rows(letters).tolist()).decode().split("\0")[:-1]
