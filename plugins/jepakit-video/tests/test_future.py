"""The masker that hides the future, and the ratio that says whether a run knows it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from jepakit_video.future import future, future_errors, ratio_of
from jepakit_video.masker import FutureMasker, FutureSettings

from jepakit.sdk import ContractError, DataError, MaskRequest, grid_layout


def request(key: int) -> MaskRequest:
    rng = np.random.Generator(np.random.Philox(key=[0, key]))
    return MaskRequest(rng=rng, shared=np.random.Generator(np.random.Philox(key=[1, key])))


@given(st.integers(2, 9), st.integers(1, 4), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_past_before_future_and_nothing_lost(moments: int, side: int, key: int) -> None:
    layout = grid_layout((moments, side, side), ("t", "y", "x"))
    plan = FutureMasker(FutureSettings())({"main": layout}, request(key))
    past, coming = plan.contexts[0].positions.idx, plan.queries[0].positions.idx
    assert layout.coords[past, 0].max() < layout.coords[coming, 0].min()
    assert sorted([*past, *coming]) == list(range(len(layout)))


def test_every_moment_can_be_the_present() -> None:
    layout = grid_layout((8, 2, 2), ("t", "y", "x"))
    masker = FutureMasker(FutureSettings(seen=(0.01, 0.99)))
    cuts = {len(masker({"main": layout}, request(key)).contexts[0].positions.idx) for key in range(200)}
    assert cuts == {4 * moment for moment in range(1, 8)}


def test_one_moment_has_no_future() -> None:
    with pytest.raises(ContractError, match="1 moments are no past and future"):
        FutureMasker(FutureSettings())({"main": grid_layout((1, 2, 2), ("t", "y", "x"))}, request(0))


def test_ratio_is_that_of_the_means_and_lies_in_its_interval() -> None:
    errors = np.random.default_rng(0).uniform(1, 2, (50, 2)) * [1.0, 4.0]
    found = ratio_of(errors)
    assert found["ratio"] == pytest.approx(errors[:, 0].mean() / errors[:, 1].mean())
    assert found["low"] < found["ratio"] < found["high"]


def test_clips_of_several_lengths_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "films.npz", x=np.zeros((2, 8, 16, 16, 3), dtype=np.uint8))
    with pytest.raises(DataError, match="several lengths can't be compared"):
        future_errors(tmp_path, f"{tmp_path / 'films.npz'}::frames=2|4::every=1", 0.5)


def test_command_compares_a_run_with_itself_untrained(tmp_path: Path) -> None:
    from jepakit.config import load_config
    from jepakit.engine import train
    from jepakit.plugin_host.loader import discover

    small = ["encoder.width=32", "encoder.depth=2", "encoder.heads=2", "predictor.width=16", "predictor.depth=1", "predictor.heads=1"]
    config = load_config("video-vcr", [*small, "train.steps=2", "data.limit=64"], discover())
    train(config, discover(), "synthetic", tmp_path / "run", lambda event: None)
    said = CliRunner().invoke(future, [str(tmp_path / "run"), "--data", "synthetic", "--json"])
    assert said.exit_code == 0, said.exception
    rows = json.loads(said.output)["rows"]
    assert set(rows) == {"encoder", "untrained"}
    assert all(row["clips"] == 256 and row["ratio"] > 0 for row in rows.values())
