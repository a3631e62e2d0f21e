from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jepakit.errors import ConfigError
from jepakit.schedule import ScheduleSettings, cosine, ema_momentum, linear, warmup_constant_cooldown, warmup_cosine


def test_linear_and_cosine_meet_their_ends_and_stay() -> None:
    for schedule in (linear, cosine):
        assert [schedule(step, 10, start=2.0, end=1.0) for step in (0, 5, 10, 99)] == pytest.approx([2.0, 1.5, 1.0, 1.0])
    assert cosine(2, 8, start=1.0, end=0.0) == pytest.approx((1 + math.sqrt(0.5)) / 2)
    assert linear(0, 0, start=2.0, end=1.0) == 1.0


def test_warmup_rises_in_equal_steps_to_the_peak() -> None:
    rates = [warmup_cosine(step, 100, warmup=4, peak=8.0, final=1.0) for step in (0, 1, 2, 3, 4, 52, 100)]
    assert rates == pytest.approx([2, 4, 6, 8, 8, 4.5, 1])


def test_constant_then_cooldown() -> None:
    rates = [warmup_constant_cooldown(step, 100, warmup=2, cooldown=20, peak=8.0, final=0.0) for step in (0, 1, 2, 80, 90, 95, 100)]
    assert rates == pytest.approx([4, 8, 8, 8, 4, 2, 0])


def test_settings_take_shares_and_counts() -> None:
    share = ScheduleSettings(kind="constant-cooldown", warmup=0.1, cooldown=0.5, final=0.0)
    count = ScheduleSettings(kind="constant-cooldown", warmup=20, cooldown=100, final=0.0)
    assert [share.value(step, 200, 3.0) for step in range(201)] == [count.value(step, 200, 3.0) for step in range(201)]
    assert ScheduleSettings(kind="constant", warmup=2).value(10**6, 10, 3.0) == 3.0
    assert ScheduleSettings(kind="constant", warmup=2).value(0, 10, 3.0) == 1.5
    assert ScheduleSettings(final=0.5, warmup=0).value(10, 10, 3.0) == 1.5


@given(
    kind=st.sampled_from(["cosine", "constant-cooldown", "constant"]),
    warmup=st.floats(0, 50),
    cooldown=st.floats(0, 50),
    total=st.integers(1, 60),
)
def test_a_rate_never_leaves_its_range_and_never_rises_after_warmup(kind: str, warmup: float, cooldown: float, total: int) -> None:
    schedule = ScheduleSettings(kind=kind, warmup=warmup, cooldown=cooldown, final=0.1)  # type: ignore[arg-type]
    rates = [schedule.value(step, total, 1.0) for step in range(total)]
    peak = rates.index(max(rates))
    assert all(0 < rate <= 1 + 1e-12 for rate in rates)
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_momentum_follows_from_the_planned_steps() -> None:
    for total in (200, 1000):
        half_life = 0.07 * total
        first, middle, last = (ema_momentum(step, total) for step in (0, total // 2, total))
        assert first**half_life == pytest.approx(0.5)
        assert last ** (10 * half_life) == pytest.approx(0.5)
        assert middle == pytest.approx((first + last) / 2)
    assert ema_momentum(10**9, 10**9) == 0.9999
    assert ema_momentum(0, 3) == 0.5


@given(total=st.integers(1, 3000), half_life=st.floats(0.01, 0.5))
def test_momentum_only_rises_and_stays_below_one(total: int, half_life: float) -> None:
    momenta = [ema_momentum(step, total, half_life=half_life) for step in range(0, total + 1, max(1, total // 50))]
    assert momenta == sorted(momenta)
    assert 0.5 <= momenta[0] <= momenta[-1] < 1


@pytest.mark.parametrize("total", [200, 618, 10_000])
def test_the_target_leaves_its_initialisation_but_not_at_once(total: int) -> None:
    def weight_left(first: int, last: int) -> float:
        return math.prod(ema_momentum(step, total) for step in range(first, last + 1))

    assert weight_left(1, total) < 0.02
    assert weight_left(1, total // 10) > 0.3  # and not in the first steps, where a fast target collapses
    published = math.prod(ema_momentum(step, 200, start=0.99, end=0.9999) for step in range(1, 201))
    assert published > 0.3  # what went wrong in short runs


def test_published_schedules_can_be_asked_for() -> None:
    assert [ema_momentum(step, 100, start=0.996, end=1.0) for step in (0, 50, 100)] == pytest.approx([0.996, 0.998, 1.0])
    assert {ema_momentum(step, 100, start=0.99) for step in (0, 50, 100)} == {0.99}
    with pytest.raises(ConfigError, match="'end' without 'start'"):
        ema_momentum(0, 100, end=1.0)
