"""Everything that is chosen or fitted comes from training samples; digits are learned; a stopped solver is recorded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from jepakit.evaluate.probes import Probe, choose, cross_validated, preparation, prepared, probes, with_all_labels, with_few_labels
from jepakit.evaluate.settings import EvalSettings

SETTINGS = EvalSettings(draws=3, max_fit_rows=400, strengths=(0.01, 1.0))
LINEAR, KNN = 0, 1


def digits(count: int = 600) -> tuple[np.ndarray, np.ndarray]:
    data, rows = load_digits(), np.random.default_rng(0).permutation(1797)[:count]
    return data.data[rows].astype(np.float32), data.target[rows].astype(np.int64)


def split() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    x, y = digits()
    fitted = preparation(x[:400], SETTINGS, seed=0)
    return prepared(fitted, x[:400]), y[:400], prepared(fitted, x[400:]), y[400:]


@pytest.mark.parametrize(("kind", "floor"), [(LINEAR, 0.9), (KNN, 0.9)])
def test_digits_are_learned_and_more_labels_help(kind: int, floor: float) -> None:
    x, y, test, truth = split()
    probe = probes(y, SETTINGS)[kind]
    whole = with_all_labels(probe, x, y, test, groups=None, settings=SETTINGS, seed=0)
    few = with_few_labels(probe, x, y, test, budget=1, settings=SETTINGS, seed=0)
    assert whole.predictions.shape == (1, 200)
    assert few.predictions.shape == (3, 200)
    assert (whole.predictions == truth).mean() > floor > (few.predictions == truth).mean() > 0.3


def test_features_are_standardised_by_training_rows_only() -> None:
    x, _ = digits()
    fitted = preparation(x[:400], SETTINGS, seed=0)
    before = prepared(fitted, x[:400])
    assert abs(before.mean()) < 1e-5
    assert before.std() == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(prepared(preparation(x[:400], SETTINGS, seed=0), x[400:] * 9), prepared(fitted, x[400:] * 9))


def test_components_are_fitted_on_training_rows_only() -> None:
    narrow = EvalSettings(max_width=10, components=5)
    x = np.zeros((300, 20), np.float32)
    rng = np.random.default_rng(0)
    x[:200, :10] = rng.normal(size=(200, 1)) + 0.1 * rng.normal(size=(200, 10))
    x[200:, 10:] = rng.normal(size=(100, 10)) * 1e3  # directions that only test rows have
    reduced = prepared(preparation(x[:200], narrow, seed=0), x)
    assert reduced.shape == (300, 5)
    assert np.abs(reduced[200:]).max() < 100


def test_constant_features_do_no_harm() -> None:
    x = np.full((50, 40), 3.0, np.float32)
    assert np.isfinite(prepared(preparation(x, EvalSettings(max_width=10), seed=0), x)).all()


def counted(seen: list[int]) -> Probe:
    """A probe whose option says how well it does, and that notes how many rows it was fitted on."""

    class Oracle:
        def __init__(self, option: float) -> None:
            self.option = option

        def fit(self, x: np.ndarray, labels: np.ndarray) -> None:
            seen.append(len(x))

        def score(self, x: np.ndarray, labels: np.ndarray) -> float:
            return {1.0: 0.2, 2.0: 0.8, 3.0: 0.8}[self.option]

        def predict(self, x: np.ndarray) -> np.ndarray:
            return np.zeros(len(x))

    return Probe("oracle", lambda option, _: Oracle(option), (1.0, 2.0, 3.0), lambda _: 1.0)


def test_the_first_of_the_best_options_is_chosen_on_a_subsample_and_fitted_on_all() -> None:
    x, y = digits()
    seen: list[int] = []
    fitted = with_all_labels(counted(seen), x, y, x[:5], groups=None, settings=SETTINGS, seed=0)
    assert fitted.option == 2.0
    assert seen[-1] == 600
    assert max(seen[:-1]) < 400


def test_options_that_grow_dearer_are_tried_until_one_does_worse() -> None:
    x, y = digits()
    tried: list[float] = []

    def make(option: float, rows: int) -> Any:
        tried.append(option)
        return KNeighborsClassifier(int(option))

    climbing = Probe("climbing", make, (1.0, 150.0, 2.0), lambda _: 1.0, climbs=True)
    assert choose(climbing, x, y, groups=None, settings=SETTINGS, seed=0) == 1.0
    assert set(tried) == {1.0, 150.0}
    assert len(tried) == 2 * SETTINGS.folds


def test_too_few_rows_to_split_take_the_middle_option() -> None:
    assert choose(counted([]), np.zeros((1, 2)), np.array([0]), groups=None, settings=SETTINGS, seed=0) == 2.0


def test_groups_are_kept_together_when_options_are_chosen() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 10)
    x = rng.normal(size=(30, 20))[groups] + 0.01 * rng.normal(size=(300, 20))
    labels = rng.integers(2, size=30)[groups]  # only who it is can be known
    probe = probes(labels, SETTINGS)[KNN]
    apart = cross_validated(probe, 1, x, labels, groups=groups.astype(str), settings=SETTINGS, seed=0)
    mixed = cross_validated(probe, 1, x, labels, groups=None, settings=SETTINGS, seed=0)
    assert mixed > 0.95 > 0.75 > apart


def test_numbers_are_probed_by_ridge_and_neighbours() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 5)).astype(np.float32)
    y = x @ np.array([1.0, -2, 0, 0, 3]) + 0.1 * rng.normal(size=300)
    for probe in probes(y, SETTINGS):
        fitted = with_all_labels(probe, x[:200], y[:200], x[200:], groups=None, settings=SETTINGS, seed=0)
        error = np.sqrt(np.mean((fitted.predictions[0] - y[200:]) ** 2))
        assert error < (0.15 if probe.name == "linear" else 0.8 * y.std())


def test_a_solver_that_ran_out_of_steps_is_recorded_not_warned_about() -> None:
    x, y, test, _ = split()
    short = EvalSettings(iterations=2, draws=1)
    assert not with_all_labels(probes(y, short)[LINEAR], x, y, test, groups=None, settings=short, seed=0).converged
    assert with_all_labels(probes(y, SETTINGS)[LINEAR], x, y, test, groups=None, settings=SETTINGS, seed=0).converged


@pytest.mark.parametrize("kind", [LINEAR, KNN])
def test_as_many_classes_as_rows_are_no_reason_to_ask_whether_they_are_numbers(kind: int) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(120) % 40
    x = (np.eye(40)[y] + 0.1 * rng.normal(size=(120, 40))).astype(np.float32)
    probe = probes(y, SETTINGS)[kind]
    assert (with_few_labels(probe, x, y, x, budget=1, settings=SETTINGS, seed=0).predictions == y).mean() > 0.9
    assert (with_all_labels(probe, x[:60], y[:60], x, groups=None, settings=SETTINGS, seed=0).predictions == y).mean() > 0.7


def test_neighbours_never_ask_for_more_rows_than_there_are() -> None:
    x, y, test, _ = split()
    for labels in (y[:12], y[:12] + 0.5):
        probe = probes(labels, EvalSettings(neighbours=(20,)))[KNN]
        assert with_all_labels(probe, x[:12], labels, test, groups=None, settings=SETTINGS, seed=0).predictions.shape == (1, 200)


def test_ridge_solves_what_single_precision_can_not() -> None:
    """Warnings are errors here: in float32 the matrix of two columns that say nearly the same is singular."""
    rng = np.random.default_rng(0)
    column = rng.normal(size=(2000, 1))
    x = (np.concatenate((column, column), axis=1) * 30 + 1e-4 * rng.normal(size=(2000, 2))).astype(np.float32)
    (probe,) = probes(column[:, 0], SETTINGS.model_copy(update={"probes": ("linear",)}))
    found = with_all_labels(probe, x, column[:, 0], x, groups=None, settings=EvalSettings(ridge=(1e-3,)), seed=0)
    assert np.abs(found.predictions[0] - column[:, 0]).max() < 1e-3
