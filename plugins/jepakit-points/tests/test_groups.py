"""Groups of points: the nearest ones, in an order of neighbours, whatever the order and number of points."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jepakit_points.groups import by_tree, gathered, nearest
from jepakit_points.masker import RunMasker, RunSettings
from jepakit_points.sequence import nearest_next
from jepakit_points.tokenizer import GroupSettings, GroupTokenizer

from jepakit.sdk import ContractError, Layout, MaskRequest, Raw, Sample


def rng(key: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=key))


def tokenizer(columns: int = 3, **options: object) -> GroupTokenizer:
    torch.manual_seed(0)
    names = ["x", "y", "z", "a", "b"][:columns]
    return GroupTokenizer(GroupSettings(groups=8, points=4, hidden=(8, 8), **options), width=8, spec={"columns": names}).eval()


def batch(made: GroupTokenizer, *clouds: np.ndarray) -> Raw:
    from jepakit.testing.tokenizer import batch_of

    return batch_of(made, [Sample({"main": points}, id=str(number)) for number, points in enumerate(clouds)])


@settings(deadline=None, max_examples=20)
@given(sizes=st.lists(st.integers(1, 30), min_size=2, max_size=4), count=st.integers(1, 8), key=st.integers(0, 50))
def test_both_ways_find_the_same_points(sizes: list[int], count: int, key: int) -> None:
    points = torch.from_numpy(rng(key).normal(size=(len(sizes), max(sizes), 3)).astype(np.float32))
    centres = torch.from_numpy(rng(key + 1).normal(size=(len(sizes), 5, 3)).astype(np.float32))
    lengths = torch.tensor(sizes)
    one, other = nearest(points, centres, count, lengths), by_tree(points, centres, count, lengths)
    torch.testing.assert_close(gathered(points, one), gathered(points, other))
    assert (one.amax(dim=(1, 2)) < lengths).all()


@given(count=st.integers(1, 40), key=st.integers(0, 99))
def test_the_sequence_goes_on_to_the_nearest_that_is_left(count: int, key: int) -> None:
    centres = rng(key).normal(size=(count, 3))
    order = nearest_next(centres)
    assert sorted(order.tolist()) == list(range(count))
    assert order[0] == centres.sum(axis=1).argmin()
    for step in range(1, count):
        left = order[step:]
        apart = np.linalg.norm(centres[left] - centres[order[step - 1]], axis=1)
        assert apart[0] == pytest.approx(apart.min())


def test_the_order_of_points_changes_nothing() -> None:
    made, points = tokenizer(), rng().normal(size=(60, 3)).astype(np.float32)
    one, other = (made(batch(made, part)) for part in (points, points[rng(1).permutation(60)]))
    torch.testing.assert_close(one.coords, other.coords)
    torch.testing.assert_close(one.x, other.x, atol=1e-5, rtol=1e-4)


def test_place_and_size_change_nothing() -> None:
    made, points = tokenizer(), rng().normal(size=(60, 3)).astype(np.float32)
    one, other = (made(batch(made, part)) for part in (points, points * np.float32(3) + np.float32(5)))
    torch.testing.assert_close(one.x, other.x, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("count", [1, 3, 8, 9])
def test_small_clouds_beside_large_ones(count: int) -> None:
    made, small, large = tokenizer(5), rng().normal(size=(count, 5)).astype(np.float32), rng(1).normal(size=(50, 5)).astype(np.float32)
    both, alone = made(batch(made, small, large)), made(batch(made, small))
    assert int(both.valid[0].sum()) == min(count, 8)
    torch.testing.assert_close(both.x[0][both.valid[0]], alone.x[0][alone.valid[0]], atol=1e-5, rtol=1e-4)
    assert torch.isfinite(both.x).all()


def test_fitted_groups_have_spread_one() -> None:
    made = tokenizer(5)
    clouds = [(rng(key).normal(size=(100, 5)) * [1, 1, 1, 10, 0.1]).astype(np.float32) for key in range(20)]
    made.fit([Sample({"main": points}, id=str(key)) for key, points in enumerate(clouds)])
    raw = batch(made, *clouds)
    assert raw.coords is not None
    groups = made._groups(raw.values, None, raw.coords)
    assert float(groups[..., :3].square().mean().sqrt()) == pytest.approx(1.0, abs=0.05)
    assert float(groups[..., 3].std()) == pytest.approx(1.0, abs=0.1)
    assert float(groups[..., 4].std()) == pytest.approx(1.0, abs=0.1)


def layout(count: int, key: int = 0) -> Layout:
    order = rng(key).permutation(count)
    return Layout(np.zeros((count, 3), np.float32), np.ones(count, bool), np.zeros(count, np.int16), ("x", "y", "z"), order=order)


@given(count=st.integers(2, 70), targets=st.integers(1, 6), key=st.integers(0, 200), long=st.booleans())
def test_runs_follow_the_order(count: int, targets: int, key: int, long: bool) -> None:
    where = layout(count, key)
    place = np.argsort(where.order)  # type: ignore[arg-type]
    share = (0.5, 0.9) if long else (0.15, 0.2)
    plan = RunMasker(RunSettings(targets=targets, target_ratio=share))({"main": where}, MaskRequest(rng=rng(key), shared=rng(key + 1)))
    asked: set[int] = set()
    for query in plan.queries:
        run = np.sort(place[query.positions.idx])
        assert (np.diff(run) == 1).all()
        asked |= set(run.tolist())
    seen = set(place[plan.contexts[0].positions.idx].tolist())
    assert seen
    assert not seen & asked
    left = [spot for spot in range(count) if spot not in asked]
    first = left.index(min(seen))
    assert set(left[first : first + len(seen)]) == seen  # contiguous among what targets leave


def test_every_context_has_targets_of_its_own() -> None:
    plan = RunMasker(RunSettings(targets=3, contexts=2))({"main": layout(64)}, MaskRequest(rng=rng(), shared=rng(1)))
    assert [query.context for query in plan.queries] == [0, 0, 0, 1, 1, 1]
    for number, context in enumerate(plan.contexts):
        asked = np.concatenate([query.positions.idx for query in plan.queries if query.context == number])
        assert not np.isin(context.positions.idx, asked).any()
    first, second = (set(context.positions.idx.tolist()) for context in plan.contexts)
    assert first != second
    assert plan.info["context_ratio"] == pytest.approx((len(first) + len(second)) / 128)


@given(count=st.integers(2, 6), key=st.integers(0, 50))
def test_small_clouds_are_asked_as_often_as_large_ones(count: int, key: int) -> None:
    """Otherwise they could not stand in one batch."""
    plan = RunMasker(RunSettings(targets=4, contexts=2))({"main": layout(count)}, MaskRequest(rng=rng(key), shared=rng(key + 1)))
    assert len(plan.queries) == 8
    for query in plan.queries:
        assert len(query.positions.idx)
        assert not np.isin(query.positions.idx, plan.contexts[query.context].positions.idx).any()


def test_one_token_is_too_few() -> None:
    with pytest.raises(ContractError, match="1 valid token"):
        RunMasker(RunSettings())({"main": layout(1)}, MaskRequest(rng=rng(), shared=rng()))
