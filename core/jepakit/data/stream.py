"""Which samples make up which batch, and where randomness comes from: pure functions of (seed, step, epoch, sample id).

There is no counter and no shared generator, so workers, ranks and restarts can't change what a step sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
from numpy.random.bit_generator import ISeedSequence

from jepakit.errors import ConfigError


class Digest(ISeedSequence):
    """Sixteen bytes as the key of a bit generator. Given a number, numpy asks the system for entropy first, which doubles the time."""

    def __init__(self, digest: bytes) -> None:
        self._words = np.frombuffer(digest, dtype="<u8").astype(np.uint64)

    def generate_state(self, n_words: int, dtype: npt.DTypeLike = np.uint64) -> npt.NDArray[np.uint32 | np.uint64]:
        """The two words that Philox asks for."""
        return self._words


def keyed_rng(*key: int | str) -> np.random.Generator:
    """A generator that depends on the key and on nothing else."""
    digest = blake2b("\x1f".join(map(str, key)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(Digest(digest)))  # type: ignore[arg-type]  # any ISeedSequence is documented


def sample_rng(seed: int, epoch: int, sample_id: str, purpose: str) -> np.random.Generator:
    """For what is drawn for one sample in one epoch: its mask, its crop."""
    return keyed_rng(seed, epoch, sample_id, purpose)


def step_rng(seed: int, step: int, purpose: str) -> np.random.Generator:
    """For what the samples of one batch share: block sizes, which tokens a ragged batch is cut to."""
    return keyed_rng(seed, step, purpose)


@lru_cache(maxsize=16)
def permutation(seed: int, epoch: int, n: int) -> np.ndarray:
    """The order of one epoch: (n,) int64, read-only."""
    order = keyed_rng(seed, epoch, "order").permutation(n)
    order.flags.writeable = False
    return order


class GlobalStream:
    """An endless stream of samples, every epoch a new permutation, cut into batches that may straddle epochs: nothing is dropped.

    Position p = step * batch + j is sample permutation(seed, p // n)[p % n]. The whole state is the step.

    buckets: lengths of runs of consecutive samples that are batched apart, such as clips of one length (`spec()["buckets"]`); none = one
    run of all. Each run is a stream of its own; they take turns in rounds of as many steps as their samples fill, in an order drawn anew.

    rank, ranks: which rows of a batch are this process's own: every `ranks`-th from number `rank` on.
    """

    def __init__(self, n: int, batch: int, seed: int, buckets: Sequence[int] = (), *, rank: int = 0, ranks: int = 1) -> None:
        self.counts, self._own = tuple(buckets) or (n,), slice(rank, None, ranks)
        if batch % ranks:
            raise ConfigError(f"a batch of {batch} samples can't be shared evenly by {ranks} processes; set data.batch to a multiple of it")
        if n < 1 or batch < 1:
            raise ValueError(f"a stream needs samples and a batch size of at least 1, not {n} and {batch}")
        if min(self.counts) < 1 or sum(self.counts) != n:
            raise ValueError(f"buckets of {self.counts} samples don't make up {n} samples")
        self.n, self.batch_size, self.seed = n, batch, seed
        self._turns = np.repeat(np.arange(len(self.counts)), [-(-count // batch) for count in self.counts])
        """The bucket of each step of a round, before it is shuffled."""

    def batch(self, step: int) -> list[tuple[int, int]]:
        """(epoch, index) of every sample of one step."""
        bucket, number = self._turn(step)
        n, first = self.counts[bucket], sum(self.counts[:bucket])
        places = range(number * self.batch_size, (number + 1) * self.batch_size)
        return [(place // n, first + int(permutation(self.seed, place // n, n)[place % n])) for place in places]

    def own(self, step: int) -> list[tuple[int, int]]:
        """The samples of that batch that this process reads; all of them when there is one process."""
        return self.batch(step)[self._own]

    def _turn(self, step: int) -> tuple[int, int]:
        """The bucket of a step, and how many of its batches came before."""
        if len(self.counts) == 1:
            return 0, step
        turn, at = divmod(step, len(self._turns))
        order = self._turns[permutation(self.seed, turn, len(self._turns))]
        bucket = int(order[at])
        return bucket, turn * int((order == bucket).sum()) + int((order[:at] == bucket).sum())


def cut_buckets(buckets: Sequence[int], count: int) -> list[int]:
    """What is left of buckets of consecutive samples when only the first `count` samples are kept."""
    left = [min(size, max(0, count - sum(buckets[:number]))) for number, size in enumerate(buckets)]
    return [size for size in left if size]
