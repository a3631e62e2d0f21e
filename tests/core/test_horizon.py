"""Progress never jumps, never falls, and a run with minutes ends about when it should."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jepakit.horizon import Horizon
from jepakit.train import pace
from jepakit.train.pace import Pace


def test_with_steps_progress_is_a_straight_line() -> None:
    horizon = Horizon(200)
    assert [horizon.progress(step) for step in (0, 50, 200, 300)] == [0.0, 0.25, 1.0, 1.0]
    assert [horizon.virtual_step(step) for step in (0, 77, 200)] == [0, 77, 200]


@given(moves=st.lists(st.tuples(st.integers(1, 50), st.integers(1, 400)), max_size=6))
def test_moving_the_end_never_makes_progress_jump_or_fall(moves: list[tuple[int, int]]) -> None:
    horizon, step, last = Horizon(300), 0, 0.0
    for ahead, total in moves:
        step += ahead
        before = horizon.progress(step)
        horizon = horizon.moved(step, step + total)
        assert horizon.progress(step) == pytest.approx(before)
        assert before >= last
        last = before
    assert horizon.progress(horizon.total) == 1.0


def test_a_run_with_minutes_ends_with_them_whatever_the_machine_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """One minute on a machine that takes 0.1 s a step, then, from second 20 on, 0.4 s."""
    clock = [0.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: clock[0])
    watch, horizon, step = Pace(1.0, 0), Horizon(1000), 0
    while step < horizon.total:
        clock[0] += 0.1 if clock[0] < 20 else 0.4
        step += 1
        horizon = watch.replan(horizon, step)
    assert 57 <= clock[0] <= 63


def test_without_minutes_nothing_is_replanned() -> None:
    horizon = Horizon(10)
    assert all(Pace(None, 0).replan(horizon, step) is horizon for step in range(10))
