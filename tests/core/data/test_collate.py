"""Ragged plans and arrays become rectangles without mixing rows, and what is cut is counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from jepakit.contracts import Context, IndexSet, Layout, MaskPlan, Query, Sample
from jepakit.data.collate import Prepared, batch_plans, collate
from jepakit.data.stream import keyed_rng
from jepakit.errors import ContractError, DataError


def plan(context: list[int], *queries: list[int]) -> MaskPlan:
    made = tuple(Query(IndexSet(np.array(query, dtype=np.int64))) for query in queries)
    return MaskPlan((Context(IndexSet(np.array(context, dtype=np.int64))),), made, info={"context_ratio": len(context) / 10})


def layout(count: int) -> Layout:
    place = np.arange(count, dtype=np.float32)[:, None]
    return Layout(place, np.ones(count, dtype=bool), np.zeros(count, dtype=np.int16), axes=("t",), grid=(count,))


def prepared(name: str, values: np.ndarray, where: Layout, label: int | None = 0) -> Prepared:
    return Prepared(Sample({"main": values}, id=name, label=label), {"main": where})


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    mode=st.sampled_from(["pad", "truncate_tail", "truncate_random", "truncate_mean"]),
)
def test_rows_keep_their_own_indices(sizes: list[int], mode: str) -> None:
    """Row r holds a sorted subset of the indices of sample r and nothing of any other."""
    plans = [plan(list(range(10 * row, 10 * row + size)), [10 * row + 9]) for row, size in enumerate(sizes)]
    batched = batch_plans(plans, mode, keyed_rng("test")).contexts[0].positions  # type: ignore[arg-type]
    for row, size in enumerate(sizes):
        keep = slice(None) if batched.valid is None else batched.valid[row]
        found = batched.idx[row][keep].tolist()
        assert found == sorted(found)
        assert set(found) <= set(range(10 * row, 10 * row + size))
        assert len(found) == {"pad": size, "truncate_mean": min(size, round(sum(sizes) / len(sizes)))}.get(mode, min(sizes))
    assert batched.dense == (batched.valid is None)


def test_truncate_tail_cuts_the_tail_and_says_how_much() -> None:
    made = batch_plans([plan([0, 1, 2, 3], [9]), plan([4, 5], [8])], "truncate_tail", keyed_rng("test"))
    assert made.contexts[0].positions.idx.tolist() == [[0, 1], [4, 5]]
    assert made.info == {"context_ratio": pytest.approx(0.3), "truncated": pytest.approx(2 / 6)}


def test_truncate_random_has_no_favourite_position() -> None:
    """The published way never keeps a late index of a long list; ours keeps all of them equally often."""
    counts = np.zeros(6)
    for draw in range(300):
        made = batch_plans([plan([0, 1, 2, 3, 4, 5], [9]), plan([6, 7, 8], [9])], "truncate_random", keyed_rng(draw))
        counts[made.contexts[0].positions.idx[0].numpy()] += 1
    assert counts.min() > 100
    assert counts.max() < 200


def test_padding_is_index_zero_and_invalid() -> None:
    made = batch_plans([plan([3, 4, 5], [9]), plan([7], [8])], "pad", keyed_rng("test")).contexts[0].positions
    assert made.idx.tolist() == [[3, 4, 5], [7, 0, 0]]
    assert made.valid.tolist() == [[True] * 3, [True, False, False]]


def test_a_missing_query_is_all_padding() -> None:
    made = batch_plans([plan([0], [1], [2, 3]), plan([4], [5])], "pad", keyed_rng("test"))
    assert made.queries[1].positions.idx.tolist() == [[2, 3], [0, 0]]
    assert made.queries[1].positions.valid.tolist() == [[True, True], [False, False]]


def test_weights_travel_with_their_indices() -> None:
    weighted = IndexSet(np.array([1, 2]), weight=np.array([0.5, 0.25], dtype=np.float32))
    first = MaskPlan((Context(IndexSet(np.array([0]))),), (Query(weighted),))
    made = batch_plans([first, plan([0], [3, 4, 5])], "pad", keyed_rng("test")).queries[0].positions
    assert made.weight.tolist() == [[0.5, 0.25, 0.0], [1.0, 1.0, 1.0]]


def test_different_numbers_of_contexts_are_refused() -> None:
    two = MaskPlan(plan([0]).contexts * 2)
    with pytest.raises(ContractError, match="different numbers of contexts"):
        batch_plans([two, plan([0])], "pad", keyed_rng("test"))


@pytest.mark.parametrize("change", [{"kind": 1}, {"stage": 1}, {"stream": "b"}, {"context": 1}])
def test_a_query_means_the_same_in_every_sample(change: dict[str, int | str]) -> None:
    first = plan([0], [1])
    other = replace(first, queries=(replace(first.queries[0], **change),))  # type: ignore[arg-type]
    with pytest.raises(ContractError, match="query number 0 a different context, stream, kind or stage"):
        batch_plans([first, other], "pad", keyed_rng("test"))


def test_a_context_lies_in_one_stream() -> None:
    first = plan([0], [1])
    with pytest.raises(ContractError, match="one context from different streams"):
        batch_plans([first, replace(first, contexts=(replace(first.contexts[0], stream="b"),))], "pad", keyed_rng("test"))


def test_labels_of_different_shapes_name_both_samples() -> None:
    parts = [Prepared(Sample({}, id=name, label=np.zeros(size)), {}) for name, size in (("a", 2), ("b", 3))]
    with pytest.raises(DataError, match=r"label of sample a has shape \(2,\), that of b \(3,\)"):
        collate(parts, "pad", keyed_rng("test"))


def test_conditions_are_stacked() -> None:
    def seen(*sizes: int) -> list[Prepared]:
        return [Prepared(Sample({}, id=str(row), meta={"condition": np.full(size, row)}), {}) for row, size in enumerate(sizes)]

    condition = collate(seen(2, 2), "pad", keyed_rng("test")).condition
    assert condition is not None
    assert condition.vec is not None
    assert (condition.vec.tolist(), condition.vec.dtype) == ([[0, 0], [1, 1]], torch.float32)
    with pytest.raises(ContractError, match="conditions of shape"):
        collate(seen(2, 3), "pad", keyed_rng("test"))


def test_equal_layouts_are_shared_not_copied() -> None:
    same = layout(4)
    batch = collate([prepared(name, np.zeros((2, 4), np.uint8), same) for name in "ab"], "pad", keyed_rng("test"))
    raw = batch.streams["main"]
    assert raw.values.dtype == torch.uint8
    assert raw.extent is None
    assert raw.grid == (4,)
    assert raw.coords is not None
    assert raw.coords.shape == (2, 4, 1)
    assert raw.coords.stride(0) == 0
    assert batch.labels.tolist() == [0, 0]


def test_layouts_that_say_the_same_are_shared_too() -> None:
    raw = collate([prepared(name, np.zeros((2, 4), np.uint8), layout(4)) for name in "ab"], "pad", keyed_rng("test")).streams["main"]
    assert raw.coords is not None
    assert raw.coords.stride(0) == 0
    moved = replace(layout(4), coords=layout(4).coords + 1)
    parts = [prepared("a", np.zeros((2, 4), np.uint8), layout(4)), prepared("b", np.zeros((2, 4), np.uint8), moved)]
    coords = collate(parts, "pad", keyed_rng("test")).streams["main"].coords
    assert coords is not None
    assert coords[:, :, 0].tolist() == [[0, 1, 2, 3], [1, 2, 3, 4]]


def test_a_shared_layout_with_a_hole_is_no_grid() -> None:
    holed = replace(layout(4), valid=np.array([True, True, False, True]))
    raw = collate([prepared(name, np.zeros((2, 4), np.uint8), holed) for name in "ab"], "pad", keyed_rng("test")).streams["main"]
    assert raw.grid is None
    assert raw.valid is not None
    assert raw.valid.tolist() == [[True, True, False, True]] * 2


def test_ragged_samples_are_padded_at_the_end() -> None:
    parts = [prepared("a", np.ones((1, 2), np.float32), layout(2)), prepared("b", np.ones((1, 5), np.float32), layout(5), label=None)]
    batch = collate(parts, "pad", keyed_rng("test"))
    raw = batch.streams["main"]
    assert raw.extent is not None
    assert raw.extent.tolist() == [[1, 2], [1, 5]]
    assert raw.values[0].tolist() == [[1, 1, 0, 0, 0]]
    assert raw.valid is not None
    assert raw.valid.tolist() == [[True, True, False, False, False], [True] * 5]
    assert raw.grid is None
    assert batch.labels is None


def test_mixed_formats_name_both_samples() -> None:
    parts = [prepared("a", np.zeros((1, 2), np.uint8), layout(2)), prepared("b", np.zeros((1, 2), np.float32), layout(2))]
    with pytest.raises(DataError, match=r"sample b is a 2-D float32 array, sample a a 2-D uint8 one"):
        collate(parts, "pad", keyed_rng("test"))
