"""Two ranks in one process: a term of the loss on two halves of a batch, which meet in `jepakit.crossrank` and nowhere else.

Each rank is a thread, and the one collective that `crossrank` is built of, the sum over ranks, is done at a barrier in the order of the
ranks. That is what gloo does between processes (tests/core/test_crossrank.py holds `crossrank` itself against it), without starting any.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from unittest.mock import patch

from torch import Tensor

from jepakit import crossrank
from jepakit.errors import RankLost
from jepakit.testing.check import Failed

WAIT = 5.0
"""Seconds that one rank waits for the other before it is taken to have gone another way."""
T = TypeVar("T")


class _Ranks:
    """What `jepakit.crossrank` uses of torch.distributed, for threads."""

    def __init__(self, size: int) -> None:
        self.size, self.parts = size, dict[int, Tensor]()
        self.barrier, self.own = threading.Barrier(size, timeout=WAIT), threading.local()

    def is_available(self) -> bool:
        return True

    def is_initialized(self) -> bool:
        return True

    def get_world_size(self) -> int:
        return self.size

    def get_rank(self) -> int:
        return int(self.own.rank)

    def all_reduce(self, tensor: Tensor) -> None:
        """The sum over ranks, in place."""
        self.parts[self.get_rank()] = tensor.clone()
        self.barrier.wait()
        total = self.parts[0].clone()
        for rank in range(1, self.size):
            total += self.parts[rank]
        self.barrier.wait()
        tensor.copy_(total)


def on_ranks(calls: Sequence[Callable[[], T]]) -> list[T]:
    """The results of one call a rank, all at once.

    Raises:
        Failed: the ranks do not reduce the same number of times.
    """
    ranks = _Ranks(len(calls))

    def run(rank: int) -> T:
        ranks.own.rank = rank
        try:
            return calls[rank]()
        except RankLost as error:  # the barrier broke
            raise Failed("not every rank calls the same functions of jepakit.crossrank: with two processes it would hang") from error
        except BaseException:
            ranks.barrier.abort()
            raise

    with patch.object(crossrank, "dist", ranks), ThreadPoolExecutor(len(calls)) as threads:
        jobs = [threads.submit(run, rank) for rank in range(len(calls))]
        failures = [error for job in jobs if (error := job.exception()) is not None]
        for error in sorted(failures, key=lambda error: isinstance(error, Failed)):  # the cause before those who waited for it
            raise error
        return [job.result() for job in jobs]
