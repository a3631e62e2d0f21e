"""Cells, halves and masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jepakit_lidar.cells import cells_at, cells_of, keys_of, lattice
from jepakit_lidar.masker import HalvesMasker, HalvesMaskerSettings
from jepakit_lidar.objective import CellVariance, CellVarianceSettings
from jepakit_lidar.tokenizer import EMPTY, OCCUPIED, CellSettings, CellTokenizer
from jepakit_lidar.views import HalvesSettings, HalvesView

from jepakit.sdk import DataError, Layout, MaskRequest, Raw, Sample


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def tile(count: int, seed: int = 0) -> Sample:
    draw = rng(seed)
    points = np.column_stack([draw.uniform(-8, 0, (count, 2)), draw.uniform(-2, 1, count), draw.random(count)]).astype(np.float32)
    return Sample({"main": points}, id="tile", meta={"square": (-8.0, -8.0, 8.0)})


def tokenizer(cell: float = 1.0) -> CellTokenizer:
    return CellTokenizer(CellSettings(cell=cell), width=8, spec={})


def raw_of(points: np.ndarray, layout: Layout) -> Raw:
    return Raw(
        torch.from_numpy(points)[None], None, *(torch.from_numpy(part)[None] for part in (layout.coords, layout.valid, layout.channel))
    )


@given(x=st.integers(-1000, 1000), y=st.integers(-1000, 1000))
def test_keys_name_cells(x: int, y: int) -> None:
    assert cells_at(keys_of(np.array([[x, y]]))).tolist() == [[x, y]]


def test_statistics_are_those_of_the_points_of_a_cell() -> None:
    points = np.array([[0.25, 0.5, -1, 3], [0.75, 0.5, 1, 5], [4.5, 4.5, 0, 1]], dtype=np.float32)
    made = tokenizer()
    sample = Sample({"main": points}, id="two")
    layout = made.layout(sample, "main")
    raw = raw_of(points, layout)
    assert layout.coords.tolist() == [[0.5, 0.5], [4.5, 4.5]]
    found = made.statistics(raw.values, None, raw.coords, raw.valid)[0, 0]
    wanted = [np.log(3), 0, 0, 0, 4, 0.25, 0, 1, 1, 1, 1, 5, 2]
    np.testing.assert_allclose(found[:13], wanted, atol=2e-3)
    assert found[13:].sum() == 1


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), count=st.integers(1, 200))
def test_halves_share_no_cell_and_lose_no_point(seed: int, count: int) -> None:
    sample = tile(count, seed)
    seen = HalvesView(HalvesSettings(cell=1.0, points=None, mirror=False, stretch=(1, 1)))(sample, rng(seed), 0.0)
    real = [part[np.isfinite(part[:, 2])] for part in (seen.streams["main"], seen.streams["rest"])]
    assert sorted(map(tuple, np.concatenate(real).tolist())) == sorted(map(tuple, sample.streams["main"].tolist()))
    main, rest = (set(keys_of(cells_of(part, 1.0)).tolist()) for part in seen.streams.values())
    assert main
    assert rest
    assert not main & rest


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999))
def test_empty_cells_are_inside_the_turned_tile_and_empty(seed: int) -> None:
    seen = HalvesView(HalvesSettings(cell=1.0, empty=5.0))(tile(30, seed), rng(seed), 0.0)
    points = np.concatenate(list(seen.streams.values()))
    real, marked = points[np.isfinite(points[:, 2])], points[~np.isfinite(points[:, 2])]
    assert len(marked)
    assert not set(keys_of(cells_of(real, 1.0))) & set(keys_of(cells_of(marked, 1.0)))
    signs = np.sign(real[:, :2].mean(axis=0))
    assert (np.sign(marked[:, :2]) == signs).all()  # the tile lies in one quarter about the sensor, wherever it is turned
    assert np.abs(marked[:, :2]).max() <= 8 * 1.05


def test_a_tile_of_one_point_can_be_cut() -> None:
    seen = HalvesView(HalvesSettings(cell=1.0))(tile(1), rng(), 0.0)
    made = tokenizer()
    layouts = {name: made.layout(seen, name) for name in seen.streams}
    plan = HalvesMasker(HalvesMaskerSettings())(layouts, MaskRequest(rng=rng(), shared=rng()))
    assert [len(query.positions.idx) for query in plan.queries] == [1, 1]
    assert layouts["main"].channel.tolist() == [OCCUPIED]
    assert layouts["rest"].channel.tolist() == [EMPTY]


def test_each_half_asks_for_the_other_by_weight() -> None:
    seen = HalvesView(HalvesSettings(cell=1.0))(tile(60), rng(), 0.0)
    made = tokenizer()
    layouts = {name: made.layout(seen, name) for name in seen.streams}
    plan = HalvesMasker(HalvesMaskerSettings(occupied=0.75))(layouts, MaskRequest(rng=rng(), shared=rng()))
    assert [(context.stream, query.stream) for context, query in zip(plan.contexts, plan.queries)] == [("main", "rest"), ("rest", "main")]
    weight, channel = plan.queries[0].positions.weight, layouts["rest"].channel
    assert weight[channel == OCCUPIED].sum() / weight.sum() == pytest.approx(0.75, abs=1e-5)
    assert weight.mean() == pytest.approx(1, abs=1e-5)


def test_empty_cells_are_the_learned_token_whatever_lies_around() -> None:
    points = np.array([[0.5, 0.5, 0, 1], [3.5, 0.5, np.nan, np.nan]], dtype=np.float32)
    made = tokenizer()
    layout = made.layout(Sample({"main": points}, id="one"), "main")
    x = made(raw_of(points, layout)).x[0]
    torch.testing.assert_close(x[1], made.empty)
    assert not torch.allclose(x[0], made.empty)


def test_cells_of_two_sizes_are_refused() -> None:
    seen = HalvesView(HalvesSettings(cell=0.8))(tile(30), rng(), 0.0)
    with pytest.raises(DataError, match=r"set views\.cell to 1"):
        tokenizer(1.0).layout(seen, "main")


@pytest.mark.parametrize(("value", "said"), [(np.nan, "finite place"), (1e9, "metres from the sensor")])
def test_places_that_are_none_are_named(value: float, said: str) -> None:
    with pytest.raises(DataError, match=said):
        tokenizer().layout(Sample({"main": np.full((2, 4), value, dtype=np.float32)}, id="bad"), "main")


def test_lattice_holds_whole_cells_only() -> None:
    assert cells_at(lattice((0.5, 0.0, 2.0), 1.0)).tolist() == [[1, 0], [1, 1]]


def test_variance_pushes_cells_apart_within_a_sample_only() -> None:
    objective = CellVariance(CellVarianceSettings(), width=16)
    same = torch.randn(4, 1, 16).expand(4, 9, 16)  # samples differ, cells of one do not
    apart = torch.randn(4, 9, 16)
    assert objective.hinge(same, None) > 0.2
    assert objective.hinge(apart, None) < 0.05
    padded = torch.cat([apart, torch.zeros(4, 3, 16)], dim=1)
    valid = torch.arange(12).expand(4, 12) < 9
    torch.testing.assert_close(objective.hinge(padded, valid), objective.hinge(apart, None))
