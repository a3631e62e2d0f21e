"""The published sampler, its defects pinned: they are what makes its numbers reproducible."""

import numpy as np
import pytest

from jepakit.errors import ContractError
from jepakit.maskers.block import BlockMasker, BlockSettings

GRID = (14, 14)


@pytest.fixture(scope="module")
def plans(grid_layout, request_of):
    layout, masker = grid_layout(GRID), BlockMasker(BlockSettings(published=True))
    return [masker({"main": layout}, request_of(draw, draw)) for draw in range(600)]


def test_the_last_row_and_column_are_never_touched(plans):
    touched = np.zeros(GRID, dtype=bool)
    for plan in plans:
        for part in (*plan.contexts, *plan.queries):
            touched.flat[part.positions.idx] = True
    assert touched[:13, :13].all()
    assert not touched[13].any()
    assert not touched[:, 13].any()


def test_the_context_block_never_moves(grid_layout, request_of):
    masker = BlockMasker(BlockSettings(published=True, allow_overlap=True))
    expected = np.flatnonzero(np.pad(np.ones((13, 13), dtype=bool), (0, 1))).tolist()
    for draw in range(40):
        assert masker({"main": grid_layout(GRID)}, request_of(draw, draw)).contexts[0].positions.idx.tolist() == expected


def test_the_context_block_has_one_size_a_step(grid_layout, request_of):
    masker = BlockMasker(BlockSettings(published=True, allow_overlap=True))
    sizes = [
        {len(masker({"main": grid_layout((30, 30))}, request_of(draw, step)).contexts[0].positions.idx) for draw in range(4)}
        for step in range(8)
    ]
    assert all(len(of_step) == 1 for of_step in sizes)
    assert len(set.union(*sizes)) > 1


def test_only_five_shapes_occur(plans):
    shapes = set()
    for plan in plans:
        rows, columns = np.unravel_index(plan.queries[0].positions.idx, GRID)
        shapes.add((int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1))
    assert shapes == {(5, 6), (6, 5), (6, 6), (7, 5), (8, 5)}


def test_ratios_are_the_known_ones(plans):
    assert np.mean([plan.info["context_ratio"] for plan in plans]) == pytest.approx(0.416, abs=0.012)
    assert np.mean([plan.info["query_ratio"] for plan in plans]) == pytest.approx(0.446, abs=0.012)


def test_strictly_more_than_min_keep_or_a_target_is_let_in(grid_layout, request_of):
    masker = BlockMasker(BlockSettings(published=True, min_keep=24))
    plans = [masker({"main": grid_layout((8, 8))}, request_of(draw, draw)) for draw in range(60)]
    assert all(len(plan.contexts[0].positions.idx) > 24 for plan in plans)
    let_in = [plan for plan in plans if plan.info["gave_way"]]
    assert let_in
    for plan in plans:
        shared = [np.intersect1d(query.positions.idx, plan.contexts[0].positions.idx).size for query in plan.queries]
        assert bool(sum(shared)) <= bool(plan.info["gave_way"])
        assert shared[0] == 0 or sum(shared[1:]) > 0  # the last target goes first


def test_a_context_block_that_is_always_too_small_is_taken(grid_layout, request_of):
    plan = BlockMasker(BlockSettings(published=True, context_scale=(0.2, 0.2)))({"main": grid_layout((4, 4))}, request_of())
    assert len(plan.contexts[0].positions.idx) == 4


@pytest.mark.parametrize("grid", [(9,), (4, 4, 4), (1, 5)])
def test_other_grids_are_refused(grid, grid_layout, request_of):
    with pytest.raises(ContractError, match="complete two-dimensional grid"):
        BlockMasker(BlockSettings(published=True))({"main": grid_layout(grid)}, request_of())


def test_missing_tokens_are_refused(grid_layout, request_of):
    with pytest.raises(ContractError, match="tokens valid"):
        BlockMasker(BlockSettings(published=True))({"main": grid_layout((6, 6), missing=0.3)}, request_of())
