"""Groups never on both sides, splits keyed by seed, small data handled without a warning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepakit.evaluate.splits import few_labels, folds, held_out, subsample


@given(st.integers(2, 12), st.integers(2, 5), st.integers(0, 9), st.booleans())
@settings(max_examples=40, deadline=None)
def test_no_group_is_on_both_sides(groups: int, count: int, seed: int, classes: bool) -> None:
    rng = np.random.default_rng(seed)
    owner = rng.integers(groups, size=80).astype(str)
    labels = rng.integers(3, size=80) if classes else rng.normal(size=80)
    splits = folds(labels, owner, count, seed)
    assert splits
    for fit, judge in splits:
        assert not set(owner[fit]) & set(owner[judge])
        assert sorted((*fit, *judge)) == list(range(80))


def test_classes_are_balanced_and_tiny_ones_are_tolerated() -> None:
    labels = np.repeat([0, 1], (30, 90))
    for _, judge in folds(labels, None, 3, seed=0):
        assert labels[judge].mean() == pytest.approx(0.75)
    assert len(folds(np.array([0, 0, 0, 0, 1]), None, 3, seed=0)) == 2  # the part that would be fitted on one class is left out
    assert folds(np.array([0, 0, 0, 1]), np.array(["a", "a", "a", "b"]), 2, seed=0) == []
    assert len(folds(np.repeat([0, 1], 10), np.array(["a"] * 20), 2, seed=0)) == 2  # one group alone can't be kept together


def test_held_out_share_and_key() -> None:
    labels = np.repeat(np.arange(4), 25)
    split = held_out(labels, None, 0.2, seed=1)
    assert split is not None
    assert len(split[1]) == 20
    again, other = held_out(labels, None, 0.2, seed=1), held_out(labels, None, 0.2, seed=2)
    assert again is not None
    assert other is not None
    np.testing.assert_array_equal(split[1], again[1])
    assert not np.array_equal(split[1], other[1])
    assert held_out(np.array([0]), None, 0.2, seed=0) is None


def test_few_labels_are_balanced_nested_and_redrawn() -> None:
    labels = np.repeat(np.arange(3), (50, 50, 4))
    few, more = few_labels(labels, 2, draw=0, seed=0), few_labels(labels, 5, draw=0, seed=0)
    assert np.bincount(labels[few]).tolist() == [2, 2, 2]
    assert np.bincount(labels[more]).tolist() == [5, 5, 4]
    assert set(few) < set(more)
    assert not np.array_equal(few, few_labels(labels, 2, draw=1, seed=0))


def test_subsample_is_sorted_and_without_repeats() -> None:
    rows = subsample(100, 30, seed=0)
    assert len(set(rows)) == 30
    assert (np.diff(rows) > 0).all()
    assert subsample(10, 30, seed=0).tolist() == list(range(10))
