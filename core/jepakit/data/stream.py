"""Which samples make up which batch, and where randomness comes from: pure functions of (seed, step, epoch, sample id).

There is no counter and no shared generator, so workers, ranks and restarts can't change what a step sees.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

import numpy as np


def keyed_rng(*key: int | str) -> np.random.Generator:
    """A generator that depends on the key and on nothing else."""
    digest = blake2b("\x1f".join(map(str, key)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def sample_rng(seed: int, epoch: int, sample_id: str, purpose: str) -> np.random.Generator:
    """For what is drawn for one sample in one epoch: its mask, its crop."""
    return keyed_rng(seed, epoch, sample_id, purpose)


def step_rng(seed: int, step: int, purpose: str) -> np.random.Generator:
    """For what the samples of one batch share: block sizes, which tokens a ragged batch is cut to."""
    return keyed_rng(seed, step, purpose)


@lru_cache(maxsize=4)
def permutation(seed: int, epoch: int, n: int) -> np.ndarray:
    """The order of one epoch: (n,) int64, read-only."""
    order = keyed_rng(seed, epoch, "order").permutation(n)
    order.flags.writeable = False
    return order


class GlobalStream:
    """An endless stream of samples, every epoch a new permutation, cut into batches that may straddle epochs: nothing is dropped.

    Position p = step * batch + j is sample permutation(seed, p // n)[p % n]. The whole state is the step.
    """

    def __init__(self, n: int, batch: int, seed: int) -> None:
        if n < 1 or batch < 1:
            raise ValueError(f"a stream needs samples and a batch size of at least 1, not {n} and {batch}")
        self.n, self.batch_size, self.seed = n, batch, seed

    def batch(self, step: int) -> list[tuple[int, int]]:
        """(epoch, index) of every sample of one step."""
        places = range(step * self.batch_size, (step + 1) * self.batch_size)
        return [(place // self.n, int(permutation(self.seed, place // self.n, self.n)[place % self.n])) for place in places]
