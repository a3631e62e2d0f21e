"""Remote control of the cart-pole: physics, pictures, what is asked for, and the loop."""

from __future__ import annotations

import numpy as np
import pytest

from jepakit.sdk import DataError
from jepakit.testing.check import run_check
from jepakit.testing.reader import check_modality
from jepakit_modalities.timeseries.cartpole import CHANNELS, PIXELS, STEP, moved, picture, upset, wanted
from jepakit_modalities.timeseries.closed_loop import lasted
from jepakit_modalities.timeseries.control import (
    AHEAD,
    FORCES,
    LATER,
    STATES,
    WINDOW,
    AheadSettings,
    AheadView,
    CartPoleModality,
    condition,
)


def keyed(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, 3]))


def test_an_unpushed_pole_falls_and_a_regulated_one_stands() -> None:
    free = held = upset(keyed(0), 50)
    for _ in range(300):
        free, held = moved(free, np.zeros(50)), moved(held, wanted(held))
    assert (np.abs(free[:, 2]) > 0.5).mean() > 0.9
    assert np.abs(held).max() < 0.2
    np.testing.assert_allclose(moved(np.zeros(4), np.array(0.0)), np.zeros(4))


def test_the_right_hand_side_is_that_of_the_paper() -> None:
    after = moved(np.array([0.0, 0.0, 0.1, 0.0]), np.array(2.0))
    pushed = 2.0 / 1.1
    turning = (9.8 * np.sin(0.1) - np.cos(0.1) * pushed) / (0.5 * (4 / 3 - 0.1 * np.cos(0.1) ** 2 / 1.1))
    np.testing.assert_allclose(after, [0, STEP * (pushed - 0.05 * turning * np.cos(0.1) / 1.1), 0.1, STEP * turning])


def test_pictures_show_places_and_no_speeds() -> None:
    still = picture(np.array([0.0, 0.0, 0.05, 0.0]), keyed(1))
    fast = picture(np.array([0.0, 2.0, 0.05, -2.0]), keyed(1))
    np.testing.assert_array_equal(still, fast)
    assert still.shape == (CHANNELS,)
    assert still[:PIXELS].argmax() in (11, 12)
    assert still[PIXELS:].argmax() > 12


def test_the_target_is_what_the_condition_points_at() -> None:
    sample, seen = CartPoleModality().synthetic(3, 0).read(1), set()
    for seed in range(60):
        made = AheadView(AheadSettings())(sample, keyed(seed), 0.0)
        ahead = round(float(made.meta["condition"][-1]) * AHEAD)
        np.testing.assert_array_equal(made.streams["target"], sample.meta[LATER][:, ahead : ahead + WINDOW])
        np.testing.assert_allclose(
            made.meta["condition"][:AHEAD], np.where(np.arange(AHEAD) < ahead, sample.meta[FORCES] / 10, 0), rtol=1e-6
        )
        seen.add(ahead)
    assert {0, AHEAD} <= seen


def test_forces_and_states_of_a_window_belong_together() -> None:
    sample = CartPoleModality().synthetic(3, 0).read(0)
    states, forces = sample.meta[STATES], sample.meta[FORCES]
    np.testing.assert_allclose(moved(states[:-1], forces), states[1:], atol=1e-5)
    np.testing.assert_array_equal(sample.label, states[0])
    assert condition(forces, 0).sum() == 0


def test_who_knows_the_state_keeps_it_up_however_rare_pictures_are() -> None:
    assert lasted(None, 16) == 1.0
    assert lasted(lambda windows, forces, ahead: np.zeros(len(windows)), 1) < 0.1  # type: ignore[arg-type]


def test_modality_keeps_its_promises() -> None:
    for check in check_modality(CartPoleModality()):
        outcome = run_check(check)
        assert outcome.good, outcome
    with pytest.raises(DataError, match="simulated:4000"):
        CartPoleModality().open("pole.csv", "train")
