"""The stream is a pure function: every sample once an epoch, nothing dropped, any step can be asked for."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jepakit.data.stream import GlobalStream, cut_buckets, permutation, sample_rng, step_rng


@given(n=st.integers(1, 40), batch=st.integers(1, 50), seed=st.integers(0, 5))
def test_every_epoch_holds_every_sample_once(n: int, batch: int, seed: int) -> None:
    stream = GlobalStream(n, batch, seed)
    drawn = list(chain.from_iterable(stream.batch(step) for step in range(-(-3 * n // batch))))
    for epoch in range(3):
        assert sorted(index for at, index in drawn if at == epoch) == list(range(n))


def test_a_step_needs_no_steps_before_it() -> None:
    assert GlobalStream(10, 4, 0).batch(7) == GlobalStream(10, 4, 0).batch(7)
    assert GlobalStream(10, 4, 0).batch(7) != GlobalStream(10, 4, 1).batch(7)


def test_batches_straddle_epochs() -> None:
    assert [epoch for epoch, _ in GlobalStream(10, 4, 0).batch(2)] == [0, 0, 1, 1]


def test_epochs_are_shuffled_anew_and_read_only() -> None:
    assert not np.array_equal(permutation(0, 0, 50), permutation(0, 1, 50))
    with pytest.raises(ValueError, match="read-only"):
        permutation(0, 0, 50)[0] = 1


def test_generators_depend_on_every_part_of_their_key() -> None:
    keys = [(0, 0, "a", "mask"), (1, 0, "a", "mask"), (0, 1, "a", "mask"), (0, 0, "b", "mask"), (0, 0, "a", "view")]
    draws = [sample_rng(*key).integers(1 << 60) for key in keys]
    assert len(set(draws)) == len(keys)
    assert sample_rng(*keys[0]).integers(1 << 60) == draws[0]
    assert step_rng(0, 3, "mask").integers(1 << 60) == step_rng(0, 3, "mask").integers(1 << 60)


@given(counts=st.lists(st.integers(1, 12), min_size=2, max_size=4), batch=st.integers(1, 8), seed=st.integers(0, 5))
def test_buckets_are_batched_apart_and_each_is_a_stream_of_its_own(counts: list[int], batch: int, seed: int) -> None:
    stream = GlobalStream(sum(counts), batch, seed, counts)
    turns = sum(-(-count // batch) for count in counts)
    ends = np.cumsum(counts)
    found: dict[int, list[tuple[int, int]]] = {number: [] for number in range(len(counts))}
    for step in range(3 * turns):
        drawn = stream.batch(step)
        (bucket,) = {int(np.searchsorted(ends, index, side="right")) for _, index in drawn}
        found[bucket].extend((epoch, index - int(ends[bucket]) + counts[bucket]) for epoch, index in drawn)
    for bucket, count in enumerate(counts):
        alone = GlobalStream(count, batch, seed)
        assert found[bucket] == list(chain.from_iterable(alone.batch(step) for step in range(3 * -(-count // batch))))


def test_buckets_must_make_up_the_samples() -> None:
    assert GlobalStream(10, 4, 3, [10]).batch(5) == GlobalStream(10, 4, 3).batch(5)
    with pytest.raises(ValueError, match="don't make up"):
        GlobalStream(10, 4, 0, [4, 4])


@pytest.mark.parametrize(("count", "left"), [(9, [4, 5]), (6, [4, 2]), (4, [4]), (1, [1])])
def test_buckets_of_the_first_samples(count: int, left: list[int]) -> None:
    assert cut_buckets([4, 5], count) == left


def test_an_empty_source_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        GlobalStream(0, 4, 0)
