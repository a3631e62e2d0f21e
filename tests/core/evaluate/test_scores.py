"""Metrics against scikit-learn, intervals against known sampling errors."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, r2_score, root_mean_squared_error

from jepakit.evaluate.scores import METRICS, accuracy, interval, macro_f1, r2, resample_counts, resampled, rmse, value

RNG = np.random.default_rng


def test_metrics_equal_scikit_learn_on_every_resample() -> None:
    rng = RNG(0)
    truth, guess = rng.integers(4, size=60), rng.integers(5, size=60)
    number, near = rng.normal(size=60) + 100, rng.normal(size=60) + 100
    counts = resample_counts(60, 5, seed=0)
    for row in counts:
        drawn = np.repeat(np.arange(60), row.astype(int))
        one = row[None]
        assert accuracy(one, truth, guess)[0] == pytest.approx((truth == guess)[drawn].mean())
        assert macro_f1(one, truth, guess)[0] == pytest.approx(f1_score(truth[drawn], guess[drawn], average="macro"))
        assert rmse(one, number, near)[0] == pytest.approx(root_mean_squared_error(number[drawn], near[drawn]))
        assert r2(one, number, near)[0] == pytest.approx(r2_score(number[drawn], near[drawn]))


def test_a_class_that_a_resample_of_groups_lacks_is_not_held_against_it() -> None:
    rng = RNG(2)
    truth = np.repeat(np.arange(10), 30)
    guess = np.where(rng.random(300) < 0.8, truth, rng.integers(10, size=300))
    counts = resample_counts(300, 400, seed=0, groups=truth)
    whole = macro_f1(np.ones((1, 300)), truth, guess)[0]
    assert whole == pytest.approx(f1_score(truth, guess, average="macro"))
    low, high = np.quantile(macro_f1(counts, truth, guess), (0.025, 0.975))
    assert low < whole < high
    assert macro_f1(counts, truth, guess).mean() == pytest.approx(whole, abs=0.03)


def test_resamples_are_draws_with_replacement_keyed_by_seed() -> None:
    counts = resample_counts(50, 200, seed=3)
    np.testing.assert_allclose(counts.sum(1), 50)
    assert (counts == 0).mean() == pytest.approx(np.exp(-1), abs=0.02)
    np.testing.assert_array_equal(counts, resample_counts(50, 200, seed=3))
    assert not np.array_equal(counts, resample_counts(50, 200, seed=4))


def test_intervals_cover_the_true_accuracy_about_95_times_in_100() -> None:
    covered, rng = 0, RNG(1)
    counts = resample_counts(150, 400, seed=0)
    for _ in range(300):
        right = (rng.random(150) < 0.7).astype(np.int64)
        low, high = interval(resampled(accuracy, np.ones(150, np.int64), right[None], counts, seed=0))
        covered += low <= 0.7 <= high
    assert 0.91 <= covered / 300 <= 0.98


def test_draws_that_disagree_widen_the_interval() -> None:
    truth = np.zeros(400, np.int64)
    counts = resample_counts(400, 500, seed=0)
    alike = np.tile((np.arange(400) % 2)[None], (10, 1))
    apart = np.stack([np.full(400, draw % 2) for draw in range(10)])
    assert value(METRICS["accuracy"], truth, alike) == value(METRICS["accuracy"], truth, apart) == 0.5

    def width(predictions: np.ndarray) -> float:
        low, high = interval(resampled(accuracy, truth, predictions, counts, seed=0))
        return high - low

    assert width(alike) == pytest.approx(4 * 0.5 / 20, rel=0.2)
    assert width(apart) == pytest.approx(4 * 0.5 / 10**0.5, rel=0.25)
