"""Probes that are networks: every kind of labels, numbers of any size, the same result for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jepakit.evaluate.estimators import FACTORIES
from jepakit.evaluate.labels import Task
from jepakit.evaluate.mlp import LEAST_STEPS, mlp_probe
from jepakit.evaluate.neural import feature_scale
from jepakit.evaluate.settings import EvalSettings

X = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
CROSS = X[:, 0] * X[:, 1]
"""What no linear probe finds."""


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        ("classification", np.where(CROSS > 0, 7, 3)),
        ("multilabel", np.stack((CROSS > 0, X[:, 2] > 0), axis=1).astype(np.int64)),
        ("regression", 1e5 + 1e3 * CROSS),
        ("regression", np.stack((CROSS, 1e4 * X[:, 2]), axis=1)),
    ],
)
def test_the_mlp_learns_what_a_linear_probe_cannot(task: Task, labels: np.ndarray) -> None:
    probe = FACTORIES["mlp"](task, EvalSettings(), 0)
    assert probe is not None
    fitted = probe.make(probe.few(5), len(X)).fit(X, labels)
    said = fitted.predict(X)
    assert said.shape == labels.shape
    if task == "regression":
        assert (np.square(said - labels).mean(0) < 0.3 * labels.var(0)).all()
    else:
        assert (said == labels).mean() > 0.85
        assert set(np.unique(said)) <= set(np.unique(labels))


def test_the_same_for_the_same_seed_and_the_generator_of_others_untouched() -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    one, same, other = (mlp_probe("regression", 1.0, seed).fit(X, CROSS).predict(X) for seed in (0, 0, 1))
    assert (one == same).all()
    assert not np.allclose(one, other)
    assert (torch.random.get_rng_state() == before).all()


def test_more_samples_take_more_steps_and_few_take_enough() -> None:
    plan = mlp_probe("regression", 10.0, 0).plan
    assert plan.steps(5) == LEAST_STEPS
    assert plan.steps(25_600) == 1_000


def test_components_of_little_variance_stay_small() -> None:
    x = X * np.array([10, 1, 1, 1, 1, 0.01], dtype=np.float32)
    _, scale = feature_scale(x)
    assert scale.shape == ()
    tokens = np.repeat(x[:, None], 3, axis=1)
    assert torch.allclose(feature_scale(tokens)[1], torch.from_numpy(x.std(0)), rtol=1e-3)
