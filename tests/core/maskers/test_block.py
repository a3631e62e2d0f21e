"""Block masking: sizes shared, places free, ratios as asked, and a last word when nothing fits."""

import numpy as np
import pytest
from pydantic import ValidationError

from jepakit.maskers.block import BlockMasker, BlockSettings
from jepakit.maskers.placement import TRIES, give_way, needed


def box_of(query, grid):
    """Height and width of the bounding box of a query."""
    rows, columns = np.unravel_index(query.positions.idx, grid)
    return np.ptp(rows) + 1, np.ptp(columns) + 1


def test_targets_are_full_boxes_of_one_size_in_the_asked_range(grid_layout, request_of):
    layout, masker = grid_layout((14, 14)), BlockMasker(BlockSettings())
    shapes = set()
    for step in range(60):
        of_step = set()
        for sample in range(3):
            plan = masker({"main": layout}, request_of(sample, step))
            assert len(plan.queries) == 4
            for query in plan.queries:
                height, width = box_of(query, (14, 14))
                assert height * width == len(query.positions.idx)
                assert 0.15 * 196 - width / 2 - height / 2 <= height * width <= 0.2 * 196 + width / 2 + height / 2
                of_step.add((height, width))
        assert len(of_step) == 1
        shapes |= of_step
    assert len(shapes) > 5  # the published sampler knows five


def test_the_context_block_moves(grid_layout, request_of):
    masker = BlockMasker(BlockSettings(allow_overlap=True, context_scale=(0.85, 0.86)))
    layout = grid_layout((14, 14))
    first = {masker({"main": layout}, request_of(sample)).contexts[0].positions.idx[0] for sample in range(60)}
    assert first == {0, 1, 14, 15}


def test_overlap_leaves_the_targets_in_the_context(grid_layout, request_of):
    plan = BlockMasker(BlockSettings(allow_overlap=True, context_scale=(1.0, 1.0)))({"main": grid_layout((6, 6))}, request_of())
    assert len(plan.contexts[0].positions.idx) == 36


def test_scattered_targets_hold_the_asked_share(scattered_layout, request_of):
    layout = scattered_layout(100, 2)
    for step in range(20):
        plans = [BlockMasker(BlockSettings())({"main": layout}, request_of(sample, step)) for sample in range(3)]
        sizes = {len(query.positions.idx) for plan in plans for query in plan.queries}
        assert len(sizes) == 1
        assert 15 <= sizes.pop() <= 20


def test_every_context_has_targets_of_its_own(grid_layout, request_of):
    plan = BlockMasker(BlockSettings(contexts=3, targets=2))({"main": grid_layout((10, 10))}, request_of())
    assert [query.context for query in plan.queries] == [0, 0, 1, 1, 2, 2]
    assert len({context.positions.idx.tobytes() for context in plan.contexts}) == 3


@pytest.mark.parametrize("grid", [(2,), (3,), (2, 1), (1, 2), (2, 2), (8, 8)])
def test_when_nothing_fits_the_targets_give_way(grid, grid_layout, request_of):
    masker = BlockMasker(BlockSettings(target_scale=(1.0, 1.0), min_keep=0.4))
    plan = masker({"main": grid_layout(grid)}, request_of())
    total = int(np.prod(grid))
    assert plan.info["redraws"] == TRIES
    assert plan.info["gave_way"] == 1
    assert len(plan.queries) == 4
    assert len(plan.contexts[0].positions.idx) == needed(0.4, total)
    assert len(plan.contexts[0].positions.idx) + len(plan.queries[0].positions.idx) == total


def test_fallen_targets_repeat_those_that_stay():
    asked = np.eye(6, dtype=bool)[:4]
    asked[3, 4] = True
    out = give_way(asked, np.ones(6, dtype=bool), need=3, rng=np.random.default_rng(0))
    assert out.seen.tolist() == [False, False, False, True, True, True]
    assert out.asked.argmax(axis=1).tolist() == [0, 1, 2, 0]


def test_targets_without_a_valid_token_become_one_random_token():
    valid = np.array([True, True, False, True])
    out = give_way(np.zeros((2, 4), dtype=bool), valid, need=1, rng=np.random.default_rng(0))
    assert out.asked.sum(axis=1).tolist() == [1, 1]
    assert (out.seen | out.asked[0]).tolist() == valid.tolist()


@pytest.mark.parametrize(("min_keep", "total", "need"), [(0.1, 196, 20), (0.1, 5, 1), (4, 100, 4), (4, 3, 2), (0.999, 10, 9), (1, 2, 1)])
def test_needed_tokens(min_keep, total, need):
    assert needed(min_keep, total) == need


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"target_scale": (0.2, 0.15)}, "low <= high"),
        ({"target_scale": (0.5, 1.5)}, "between 0 and 1"),
        ({"aspect": (0.0, 1.0)}, "0 < low"),
        ({"aspect": (1.0, float("inf"))}, "finite"),
        ({"targets": 0}, "greater than or equal to 1"),
        ({"published": True, "contexts": 2}, "one context"),
        ({"target_size": 3}, "Extra inputs"),
    ],
)
def test_wrong_options_are_explained(options, complaint):
    with pytest.raises(ValidationError, match=complaint):
        BlockSettings(**options)
