"""What each of the smaller maskers does beyond the common contract."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from jepakit.errors import ContractError
from jepakit.maskers.ball import BallMasker, BallSettings
from jepakit.maskers.channel import ChannelMasker, ChannelSettings
from jepakit.maskers.complement import ComplementMasker, ComplementSettings
from jepakit.maskers.full import FullMasker, FullSettings
from jepakit.maskers.random import RandomMasker, RandomSettings
from jepakit.maskers.span import SpanMasker, SpanSettings, draw_spans
from jepakit.maskers.tube import TubeBlocks, TubeMasker, TubeSettings


def mask_of(part, layout):
    mask = np.zeros(len(layout), dtype=bool)
    mask[part.positions.idx] = True
    return mask.reshape(layout.grid or -1)


# random


def test_random_deals_all_tokens_out(grid_layout, request_of):
    layout = grid_layout((10, 10))
    plan = RandomMasker(RandomSettings(keep=(0.2, 0.2), queries=3))({"main": layout}, request_of())
    assert len(plan.contexts[0].positions.idx) == 20
    assert sorted(len(query.positions.idx) for query in plan.queries) == [26, 27, 27]
    everything = np.concatenate([part.positions.idx for part in (*plan.contexts, *plan.queries)])
    assert sorted(everything.tolist()) == list(range(100))


def test_random_share_is_drawn_once_a_step(grid_layout, request_of):
    masker, layout = RandomMasker(RandomSettings()), grid_layout((20, 20))
    sizes = [
        {len(masker({"main": layout}, request_of(sample, step)).contexts[0].positions.idx) for sample in range(4)} for step in range(30)
    ]
    assert all(len(of_step) == 1 and 60 <= min(of_step) <= 100 for of_step in sizes)
    assert len(set.union(*sizes)) > 10


def test_random_leaves_a_token_for_every_query(grid_layout, request_of):
    plan = RandomMasker(RandomSettings(keep=(1.0, 1.0), queries=3))({"main": grid_layout((3, 3))}, request_of())
    assert [len(query.positions.idx) for query in plan.queries] == [1, 1, 1]


# tube


def test_tubes_run_through_time(grid_layout, request_of):
    layout = grid_layout((4, 10, 10))
    plan = TubeMasker(TubeSettings())({"main": layout}, request_of())
    assert [(query.context, query.kind) for query in plan.queries] == [(0, 0), (1, 1)]
    for context, query in zip(plan.contexts, plan.queries):
        hidden = mask_of(query, layout)
        assert (hidden == hidden[:1]).all()
        assert (mask_of(context, layout) == ~hidden).all()


def test_a_tube_of_one_block_hides_its_scale_and_reaches_the_corner(grid_layout, request_of):
    layout, corner = grid_layout((2, 10, 10)), False
    masker = TubeMasker(TubeSettings(blocks=(TubeBlocks(number=1, scale=(0.25, 0.25), aspect=(1.0, 1.0)),)))
    for sample in range(600):
        hidden = mask_of(masker({"main": layout}, request_of(sample)).queries[0], layout)
        assert hidden.sum() == 50
        corner |= hidden[0, -1, -1]
    assert corner


@pytest.mark.parametrize("through", [("y",), (1,), (-2,)])
def test_tubes_run_through_the_named_axis_of_grids_and_of_scattered_tokens(through, grid_layout, request_of):
    layout = grid_layout((6, 3, 6))
    for given_layout in (layout, replace(layout, grid=None)):
        plan = TubeMasker(TubeSettings(through=through))({"main": given_layout}, request_of())
        hidden = mask_of(plan.queries[1], layout)
        assert (hidden == hidden[:, :1]).all()
        assert (hidden != hidden[0, 0, 0]).any()


def test_tubes_that_always_cover_everything_leave_one_column(grid_layout, request_of):
    masker = TubeMasker(TubeSettings(blocks=(TubeBlocks(number=1, scale=(1.0, 1.0)),)))
    layout = grid_layout((3, 2, 2))
    seen = mask_of(masker({"main": layout}, request_of()).contexts[0], layout)
    assert seen.sum() == 3
    assert (seen == seen[:1]).all()


def test_tubes_never_fall_on_missing_columns_alone(grid_layout, request_of):
    layout = grid_layout((1, 8, 8), missing=0.9)
    masker = TubeMasker(TubeSettings(blocks=(TubeBlocks(number=1, scale=(0.05, 0.05)),)))
    for sample in range(50):
        assert len(masker({"main": layout}, request_of(sample)).queries[0].positions.idx) > 0


@pytest.mark.parametrize(
    ("grid", "through", "complaint"),
    [((4, 4), ("t",), "coordinate axis named 't'"), ((4, 4), (2,), "number 2"), ((4, 4), (0, 1), "no axis"), ((4, 1), (0,), "one column")],
)
def test_tubes_that_cannot_be_are_explained(grid, through, complaint, grid_layout, request_of):
    with pytest.raises(ContractError, match=complaint):
        TubeMasker(TubeSettings(through=through))({"main": grid_layout(grid)}, request_of())


# span


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    positions=st.integers(2, 60), share=st.floats(0.01, 1.0), shortest=st.integers(1, 6), more=st.integers(0, 6), seed=st.integers(0, 2**31)
)
def test_spans_hide_exactly_the_share(positions, share, shortest, more, seed):
    hidden = draw_spans(positions, share, (shortest, shortest + more), np.random.default_rng(seed))
    assert hidden.shape == (positions,)
    assert hidden.sum() == min(max(round(share * positions), 1), positions - 1)
    runs = np.diff(np.flatnonzero(np.diff(np.pad(hidden.astype(int), 1))))[::2]
    assert (runs < shortest).sum() <= 1  # the last span, cut to the share


def test_all_places_of_a_span_are_equally_likely():
    rng = np.random.default_rng(0)
    first = np.bincount([draw_spans(8, 0.5, (4, 4), rng).argmax() for _ in range(5000)])
    assert len(first) == 5
    assert abs(first / 5000 - 0.2).max() < 0.03


def test_tied_spans_hide_the_same_times_everywhere(grid_layout, request_of):
    layout = grid_layout((5, 30))
    hidden = mask_of(SpanMasker(SpanSettings(axis="x"))({"main": layout}, request_of()).queries[0], layout)
    assert (hidden == hidden[0]).all()
    assert 18 <= hidden[0].sum() <= 21


def test_untied_spans_differ_from_row_to_row(grid_layout, request_of):
    layout = grid_layout((5, 30))
    hidden = mask_of(SpanMasker(SpanSettings(axis="x", tied=False))({"main": layout}, request_of()).queries[0], layout)
    assert (hidden != hidden[0]).any()
    assert len(set(hidden.sum(axis=1).tolist())) == 1


def test_spans_follow_time_not_the_order_of_tokens(request_of, scattered_layout):
    layout = scattered_layout(40, 1)
    plan = SpanMasker(SpanSettings(hide=(0.5, 0.5), length=(20, 20)))({"main": layout}, request_of())
    hidden = mask_of(plan.queries[0], layout)[np.argsort(layout.coords[:, 0])]
    assert hidden.sum() == 20
    assert np.count_nonzero(np.diff(hidden)) <= 2


def test_spans_need_two_positions(grid_layout, request_of):
    for tied in (True, False):
        with pytest.raises(ContractError, match="differ along axis 'x'"):
            SpanMasker(SpanSettings(axis="x", tied=tied))({"main": grid_layout((4, 1))}, request_of())
    with pytest.raises(ValidationError, match="shortest <= longest"):
        SpanSettings(length=(3, 2))


# ball


def test_balls_hold_the_asked_share_and_a_context_ball_is_smaller(scattered_layout, request_of):
    layout = scattered_layout(100, 3)
    for step in range(10):
        rest = BallMasker(BallSettings())({"main": layout}, request_of(step, step))
        ball = BallMasker(BallSettings(context="ball", context_ratio=(0.3, 0.3)))({"main": layout}, request_of(step, step))
        assert len({len(query.positions.idx) for query in rest.queries}) == 1
        assert 15 <= len(rest.queries[0].positions.idx) <= 20
        union = np.unique(np.concatenate([query.positions.idx for query in rest.queries]))
        assert len(rest.contexts[0].positions.idx) == 100 - len(union)
        assert 10 <= len(ball.contexts[0].positions.idx) <= 30


# channel


def test_whole_channels_are_hidden(grid_layout, request_of):
    layout = grid_layout((8, 5))
    counts = set()
    for step in range(30):
        plan = ChannelMasker(ChannelSettings())({"main": layout}, request_of(step, step))
        hidden = mask_of(plan.queries[0], layout)
        assert (hidden == hidden[:, :1]).all()
        assert (mask_of(plan.contexts[0], layout) == ~hidden).all()
        counts.add(int(hidden[:, 0].sum()))
    assert counts == {2, 3, 4}


def test_one_channel_stays_at_least(grid_layout, request_of):
    plan = ChannelMasker(ChannelSettings(hide=(1.0, 1.0)))({"main": grid_layout((3, 2))}, request_of())
    assert len(plan.contexts[0].positions.idx) == 2


def test_one_channel_is_refused(grid_layout, request_of):
    with pytest.raises(ContractError, match="one channel"):
        ChannelMasker(ChannelSettings())({"main": grid_layout((1, 6))}, request_of())


# complement


def test_complement_asks_for_all_that_is_hidden(grid_layout, request_of):
    layout = grid_layout((8, 8), missing=0.1)
    inner = ComplementMasker(ComplementSettings(inner={"name": "block", "contexts": 2, "targets": 2}))
    plan = inner({"main": layout}, request_of())
    assert [query.context for query in plan.queries] == [0, 1]
    for context, query in zip(plan.contexts, plan.queries):
        assert (mask_of(context, layout) ^ mask_of(query, layout) == layout.valid.reshape(8, 8)).all()
    assert plan.info["context_ratio"] + plan.info["query_ratio"] == pytest.approx(1)
    assert "redraws" in plan.info


def test_complement_keeps_kinds_and_the_stream(grid_layout, request_of):
    masker = ComplementMasker(ComplementSettings(inner={"name": "tube", "stream": "video"}))
    plan = masker({"video": grid_layout((3, 6, 6)), "main": grid_layout((2, 2))}, request_of())
    assert [(query.kind, query.stream) for query in plan.queries] == [(0, "video"), (1, "video")]


def test_complement_of_everything_is_refused(grid_layout, request_of):
    inner = {"name": "block", "allow_overlap": True, "context_scale": (1.0, 1.0)}
    with pytest.raises(ContractError, match="nothing is left to predict"):
        ComplementMasker(ComplementSettings(inner=inner))({"main": grid_layout((4, 4))}, request_of())


def test_complement_settings_fill_in_defaults_and_survive_a_round_trip():
    settings_ = ComplementSettings(inner={"name": "random", "keep": [0.3, 0.4]})
    assert settings_.inner == {"name": "random", "keep": (0.3, 0.4), "queries": 1, "contexts": 1, "stream": "main"}
    assert ComplementSettings.model_validate(settings_.model_dump(mode="json")) == settings_


@pytest.mark.parametrize(
    ("inner", "complaint"),
    [
        ({"name": "blok"}, "Did you mean 'block'"),
        ({}, "no masker to wrap"),
        ({"name": "block", "targets": 0}, "options of masker 'block': targets"),
    ],
)
def test_wrong_inner_maskers_are_explained(inner, complaint):
    with pytest.raises(ValidationError, match=complaint):
        ComplementSettings(inner=inner)


# full


def test_full_sees_and_asks_for_everything_valid(grid_layout, request_of):
    layout = grid_layout((4, 4), missing=0.3)
    plan = FullMasker(FullSettings())({"main": layout}, request_of())
    assert plan.contexts[0].positions.idx.tolist() == np.flatnonzero(layout.valid).tolist()
    assert plan.queries[0].positions.idx.tolist() == np.flatnonzero(layout.valid).tolist()
    assert FullMasker(FullSettings(queries=False))({"main": layout}, request_of()).queries == ()


def test_full_predicts_one_stream_from_others(grid_layout, request_of):
    layouts = {"left": grid_layout((2, 2)), "right": grid_layout((3,)), "target": grid_layout((5,))}
    plan = FullMasker(FullSettings(streams=("left", "right"), query_stream="target"))(layouts, request_of())
    assert [(context.stream, len(context.positions.idx)) for context in plan.contexts] == [("left", 4), ("right", 3)]
    assert [(query.stream, query.context, len(query.positions.idx)) for query in plan.queries] == [("target", 0, 5), ("target", 1, 5)]
