"""The masks of A-JEPA on grids of every size: nothing leaks, nothing is empty, and ranges are hidden late only."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jepakit_audio.masker import TimeFrequencyMasker, TimeFrequencySettings

from jepakit.sdk import ContractError, Layout, MaskPlan, MaskRequest, grid_layout


def keyed(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, 1]))


def plan(layout: Layout, seed: int, progress: float) -> MaskPlan:
    request = MaskRequest(rng=keyed(seed), shared=keyed(seed + 1), progress=progress)
    return TimeFrequencyMasker(TimeFrequencySettings())({"main": layout}, request)


@settings(max_examples=60, deadline=None)
@given(times=st.integers(1, 30), bands=st.integers(1, 8), gone=st.integers(0, 5), seed=st.integers(0, 999), progress=st.floats(0, 1))
def test_contexts_and_blocks_are_apart_and_never_empty(times: int, bands: int, gone: int, seed: int, progress: float) -> None:
    whole = grid_layout((times, bands), ("t", "mel"))
    valid = np.ones(times * bands, dtype=bool)
    valid[: min(gone, max(0, len(valid) - 2))] = False
    layout = Layout(whole.coords, valid, whole.channel, whole.axes)
    if valid.sum() < 2:
        with pytest.raises(ContractError, match="two"):
            plan(layout, seed, progress)
        return
    found = plan(layout, seed, progress)
    seen = found.contexts[0].positions.idx
    assert len(seen) >= max(1, round(0.1 * valid.sum())) or len(found.queries[0].positions.idx) >= len(seen)
    assert len(seen)
    for query in found.queries:
        asked = query.positions.idx
        assert len(asked)
        assert not set(asked) & set(seen)
        assert valid[asked].all()
        assert valid[seen].all()
        assert (np.diff(asked) > 0).all()


def test_late_in_training_no_time_or_no_band_of_a_block_is_seen() -> None:
    layout = grid_layout((30, 8), ("t", "mel"))
    early = [plan(layout, seed, 0.0) for seed in range(20)]
    late = [plan(layout, seed, 1.0) for seed in range(20)]
    assert all(part.info["whole_ranges"] == 0 for part in early)
    assert all(part.info["whole_ranges"] == 1 for part in late)
    assert np.mean([part.info["context_ratio"] for part in late]) < 0.7 * np.mean([part.info["context_ratio"] for part in early])
    for part in late:
        seen = layout.coords[part.contexts[0].positions.idx]
        shared = [set(layout.coords[part.queries[0].positions.idx, axis]) & set(seen[:, axis]) for axis in (0, 1)]
        assert not shared[0] or not shared[1]


def test_the_chance_follows_the_training() -> None:
    masker = TimeFrequencyMasker(TimeFrequencySettings(anneal=(0.2, 0.6)))
    assert [masker.chance(part) for part in (0.0, 0.2, 0.4, 0.6, 1.0)] == pytest.approx([0, 0, 0.5, 1, 1])
