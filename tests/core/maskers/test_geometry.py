"""Sizes and places of boxes and balls."""

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepakit.maskers.geometry import Ball, GridBox, NearestBox, draw_shares, whole_sizes


@settings(max_examples=200, deadline=None, derandomize=True)
@given(axes=st.integers(1, 4), scale=st.floats(0.01, 1.0), aspect=st.floats(0.05, 20.0), seed=st.integers(0, 2**31))
def test_shares_have_the_asked_volume_and_fit(axes, scale, aspect, seed):
    shares = draw_shares(np.random.default_rng(seed), axes, (scale, scale), (aspect, aspect))
    assert prod(shares) == pytest.approx(scale)
    assert all(0 < share <= 1 + 1e-12 for share in shares)
    for share in shares[:-1]:
        if max(share, shares[-1]) < 1 - 1e-9:
            assert share / shares[-1] == pytest.approx(aspect)


def test_scale_and_aspect_are_independent():
    rng = np.random.default_rng(0)
    pairs = np.array([draw_shares(rng, 2, (0.15, 0.2), (0.75, 1.5)) for _ in range(4000)])
    scale, aspect = pairs.prod(axis=1), pairs[:, 0] / pairs[:, 1]
    assert abs(np.corrcoef(scale, aspect)[0, 1]) < 0.05
    assert scale.min() == pytest.approx(0.15, abs=0.001)
    assert scale.max() == pytest.approx(0.2, abs=0.001)
    assert aspect.min() == pytest.approx(0.75, abs=0.01)
    assert aspect.max() == pytest.approx(1.5, abs=0.01)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(grid=st.lists(st.integers(1, 12), min_size=1, max_size=3), scale=st.floats(0.1, 1.0), seed=st.integers(0, 2**31))
def test_whole_sizes_miss_the_volume_by_half_a_slice_at_most(grid, scale, seed):
    rng = np.random.default_rng(seed)
    sizes = whole_sizes(draw_shares(rng, len(grid), (scale, scale), (1.0, 1.0)), grid, rng)
    assert all(1 <= size <= n for size, n in zip(sizes, grid))
    slice_ = max(prod(sizes) // size for size in sizes)
    assert abs(prod(sizes) - scale * prod(grid)) <= max(slice_ / 2 + 1e-6, prod(sizes) * (prod(sizes) <= slice_))


def test_equally_long_axes_take_turns():
    rng = np.random.default_rng(0)
    sizes = {whole_sizes(draw_shares(rng, 2, (0.92, 0.93), (1.0, 1.0)), (14, 14), rng) for _ in range(50)}
    assert sizes == {(13, 14), (14, 13)}


@pytest.mark.parametrize(("grid", "size"), [((5,), (2,)), ((4, 3), (3, 3)), ((3, 2, 4), (2, 1, 3)), ((1, 1), (1, 1))])
def test_a_grid_box_comes_to_every_place_equally_often(grid, size):
    draws = 6000
    boxes = GridBox(grid, size).place(np.random.default_rng(0), draws).reshape(draws, *grid)
    assert (boxes.sum(axis=tuple(range(1, boxes.ndim))) == prod(size)).all()
    _, times = np.unique(boxes.reshape(draws, -1), axis=0, return_counts=True)
    places = prod(n - s + 1 for n, s in zip(grid, size))
    assert len(times) == places
    assert abs(times / draws - 1 / places).max() < 5 * (1 / places / draws) ** 0.5


def test_interior_tokens_are_covered_equally_often():
    draws, side, n = 20_000, 4, 10
    hits = GridBox((n, n), (side, side)).place(np.random.default_rng(1), draws).reshape(draws, n, n).mean(axis=0)
    along = np.array([min(i + 1, side, n - i) for i in range(n)]) / (n - side + 1)
    assert abs(hits - np.outer(along, along)).max() < 0.02


def test_unused_rows_stay_unused():
    boxes = GridBox((6, 6), (2, 3), unused=1).place(np.random.default_rng(0), 500).reshape(500, 6, 6).any(axis=0)
    assert boxes[:5, :5].all()
    assert not boxes[5].any()
    assert not boxes[:, 5].any()


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_box_among_scattered_tokens_holds_the_nearest(axes, scattered_layout):
    layout = scattered_layout(40, axes, missing=0.3)
    shares = [0.3, 0.6, 0.9][:axes]
    boxes = NearestBox(layout.coords, layout.valid, shares, 7).place(np.random.default_rng(0), 20)
    assert (boxes.sum(axis=1) == 7).all()
    assert not (boxes & ~layout.valid).any()
    extent = np.ptp(layout.coords[layout.valid], axis=0) * shares
    for box in boxes:
        reach = np.abs((layout.coords - layout.coords[box][:, None]) / extent).max(axis=-1)  # (inside, N): from each possible centre
        reach[:, ~layout.valid] = np.inf
        assert (reach[:, box].max(axis=1) <= reach[:, ~box].min(axis=1)).any()


def test_a_ball_is_round_in_the_units_of_the_coordinates(scattered_layout):
    layout = scattered_layout(60, 3, missing=0.2)
    for ball in Ball(layout.coords, layout.valid, 9).place(np.random.default_rng(0), 20):
        reach = np.linalg.norm(layout.coords - layout.coords[ball][:, None], axis=-1)
        reach[:, ~layout.valid] = np.inf
        assert ball.sum() == 9
        assert (reach[:, ball].max(axis=1) <= reach[:, ~ball].min(axis=1)).any()


def test_tokens_in_one_place_do_not_break_a_box():
    boxes = NearestBox(np.zeros((5, 2), dtype=np.float32), np.ones(5, dtype=bool), [0.5, 0.5], 2).place(np.random.default_rng(0), 3)
    assert (boxes.sum(axis=1) == 2).all()
