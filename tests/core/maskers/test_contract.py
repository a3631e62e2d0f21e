"""What every masker promises, on any layout: sorted valid tokens, nothing empty, nothing shared, the same for the same keys."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jepakit.errors import ContractError
from jepakit.maskers.ball import BallMasker, BallSettings
from jepakit.maskers.block import BlockMasker, BlockSettings
from jepakit.maskers.channel import ChannelMasker, ChannelSettings
from jepakit.maskers.complement import ComplementMasker, ComplementSettings
from jepakit.maskers.random import RandomMasker, RandomSettings
from jepakit.maskers.span import SpanMasker, SpanSettings
from jepakit.maskers.tube import TubeMasker, TubeSettings


def distinct(layout, columns):
    return len(np.unique(layout.coords[layout.valid][:, columns], axis=0))


def has_row(layout):
    rows = np.column_stack([layout.channel, layout.coords[:, :-1]])[layout.valid]
    return np.unique(rows, axis=0, return_counts=True)[1].max() > 1


def always(_layout):
    return True


# name → (masker, what a layout must have beyond two valid tokens)
MASKERS = {
    "random": (RandomMasker(RandomSettings()), always),
    "random, 3 queries, 2 contexts": (RandomMasker(RandomSettings(queries=3, contexts=2)), lambda it: it.valid.sum() >= 4),
    "block": (BlockMasker(BlockSettings()), always),
    "block, 3 contexts": (BlockMasker(BlockSettings(contexts=3, min_keep=4)), always),
    "block, greedy": (BlockMasker(BlockSettings(targets=6, target_scale=(0.5, 1.0), aspect=(0.1, 10.0), min_keep=0.9)), always),
    "tube": (TubeMasker(TubeSettings()), lambda it: it.coords.shape[1] > 1 and distinct(it, slice(1, None)) > 1),
    "span": (SpanMasker(SpanSettings(axis=-1)), lambda it: distinct(it, slice(-1, None)) > 1),
    "span, untied": (SpanMasker(SpanSettings(axis=-1, tied=False, contexts=2)), has_row),
    "ball": (BallMasker(BallSettings()), always),
    "ball in ball": (BallMasker(BallSettings(context="ball", contexts=2)), always),
    "channel": (ChannelMasker(ChannelSettings(contexts=2)), lambda it: len(np.unique(it.channel[it.valid])) > 1),
    "complement": (ComplementMasker(ComplementSettings(inner={"name": "block", "contexts": 2})), always),
}


@pytest.mark.parametrize("name", MASKERS)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    grid=st.lists(st.integers(2, 12), min_size=1, max_size=3),
    scattered=st.booleans(),
    missing=st.sampled_from([0.0, 0.0, 0.3, 0.9]),
    seed=st.integers(0, 2**31),
)
def test_plan_keeps_the_contract(name, grid_layout, scattered_layout, request_of, grid, scattered, missing, seed):
    if scattered:
        layout = scattered_layout(min(int(np.prod(grid)), 200), len(grid), missing=missing, seed=seed)
    else:
        layout = grid_layout(grid, missing=missing, seed=seed)
    masker, fits = MASKERS[name]
    assume(layout.valid.sum() >= 2 and fits(layout))
    plan = masker({"main": layout}, request_of(seed, seed))

    assert {query.context for query in plan.queries} == set(range(len(plan.contexts)))
    for part in (*plan.contexts, *plan.queries):
        idx = part.positions.idx
        assert idx.dtype == np.int64
        assert len(idx) > 0
        assert (np.diff(idx) > 0).all()
        assert layout.valid[idx].all()
    for query in plan.queries:
        assert not np.intersect1d(query.positions.idx, plan.contexts[query.context].positions.idx).size
    assert 0 < plan.info["context_ratio"] < 1
    assert 0 < plan.info["query_ratio"] < 1

    again = masker({"main": layout}, request_of(seed, seed))
    assert [part.positions.idx.tolist() for part in (*again.contexts, *again.queries)] == [
        part.positions.idx.tolist() for part in (*plan.contexts, *plan.queries)
    ]


@pytest.mark.parametrize("name", MASKERS)
def test_every_token_is_context_and_query_at_times(name, grid_layout, scattered_layout, coverage):
    masker, fits = MASKERS[name]
    gaps = (
        [] if name == "span, untied" else [grid_layout((5, 4), missing=0.2), scattered_layout(30, 2, missing=0.2)]
    )  # a lone token never hides
    for layout in filter(fits, [grid_layout((7,)), grid_layout((5, 4)), grid_layout((3, 2, 4)), *gaps]):
        seen, asked = coverage(masker, layout, 300)
        assert (seen > 0).tolist() == layout.valid.tolist()
        assert (asked > 0).tolist() == layout.valid.tolist()


@pytest.mark.parametrize("name", MASKERS)
def test_samples_of_one_step_differ_but_ask_for_equally_many(name, grid_layout, request_of):
    layout = grid_layout((8, 8))
    plans = [MASKERS[name][0]({"main": layout}, request_of(sample, step=5)) for sample in range(12)]
    if name != "block, greedy":  # there targets hand tokens back
        assert len({len(plan.contexts) for plan in plans}) == 1
        if "complement" not in name and name != "tube":
            assert len({tuple(len(query.positions.idx) for query in plan.queries[:1]) for plan in plans}) == 1
    assert len({plan.contexts[0].positions.idx.tobytes() for plan in plans}) > 1


@pytest.mark.parametrize("name", MASKERS)
def test_a_single_token_is_refused(name, grid_layout, request_of):
    with pytest.raises(ContractError, match=r"needs|nothing|column"):
        MASKERS[name][0]({"main": grid_layout((1, 1))}, request_of())


@pytest.mark.parametrize("name", MASKERS)
def test_a_missing_stream_is_named(name, grid_layout, request_of):
    with pytest.raises(ContractError, match="no stream with a layout named 'main'"):
        MASKERS[name][0]({"other": grid_layout((4, 4))}, request_of())
