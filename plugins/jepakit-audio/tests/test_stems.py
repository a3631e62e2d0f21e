"""Stems: the mix lacks what is asked for, the condition says which, and retrieval ranks by cosine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from jepakit_audio.stem_retrieval import ranks, scores, stems
from jepakit_audio.stem_view import StemSettings, StemView
from jepakit_audio.stems import StemsModality

from jepakit import engine
from jepakit.config import load_config
from jepakit.plugin_host.loader import discover
from jepakit.sdk import DataError, Sample

SMALL = (
    "encoder.width=32", "encoder.depth=2", "encoder.heads=2", "predictor.hidden=32", "predictor.depth=1", "data.batch=8", "data.limit=16",
    "train.device=cpu", "train.precision=float32",
)  # fmt: skip


def keyed(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, 7]))


def powers(silent: tuple[int, ...] = ()) -> Sample:
    """Stem i is the constant 2**i / 16, so that a sum says what is in it."""
    sound = np.repeat(2.0 ** np.arange(4, dtype=np.float32)[:, None] / 16, 100, axis=1)
    sound[list(silent)] = 0
    return Sample({"main": sound}, id="a", meta={"rate_hz": 100})


@pytest.mark.parametrize("silent", [(), (1,), (0, 3)])
def test_the_mix_holds_other_stems_that_play_and_never_the_target(silent: tuple[int, ...]) -> None:
    view, playing = StemView(StemSettings(crop_s=0.5)), set(range(4)) - set(silent)
    seen: set[tuple[int, int]] = set()
    for seed in range(60):
        made = view(powers(silent), keyed(seed), 0.0)
        target = int(made.meta["condition"].argmax())
        mixed = round(float(made.streams["main"][0, 0]) * 16)
        inside = {stem for stem in range(4) if mixed & (1 << stem)}
        assert made.streams["main"].shape == made.streams["target"].shape == (1, 50)
        assert float(made.streams["target"][0, 0]) * 16 == 2**target
        assert made.meta["condition"].sum() == 1
        assert inside
        assert target in playing
        assert inside <= playing - {target}
        seen.add((target, mixed))
    assert len(seen) >= len(playing)  # every one is asked for; with more stems, of other mixes


def test_for_retrieval_all_others_are_mixed() -> None:
    made = StemView(StemSettings(crop_s=9), target=2)(powers(), keyed(0), 0.0)
    assert float(made.streams["main"][0, 0]) * 16 == 1 + 2 + 8


def test_too_few_stems_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="fewer than two"):
        StemView(StemSettings())(powers((0, 1, 2)), keyed(0), 0.0)
    with pytest.raises(DataError, match=r"views\.stems"):
        StemView(StemSettings(stems=3))(powers(), keyed(0), 0.0)
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 1, 100), np.float32), sfreq=100)
    with pytest.raises(DataError, match="a channel an instrument"):
        StemsModality().open(str(tmp_path / "a.npz"), "train")


def test_ranks_and_what_follows_from_them() -> None:
    asked = np.eye(4, dtype=np.float32)
    predicted = asked[[0, 1, 3, 2]] + 0.1 * asked
    assert ranks(predicted, asked).tolist() == [0, 0, 1, 1]
    assert ranks(5 * asked, 3 * asked).tolist() == [0] * 4
    found = scores(np.array([0, 0, 3, 9]))
    assert (found["recall_at_1"], found["recall_at_5"], found["rank"]) == (0.5, 0.75, 1.0)


def test_a_short_run_can_be_asked(tmp_path: Path) -> None:
    host = discover()
    engine.train(load_config("audio-stem", [*SMALL, "train.steps=2"], host), host, "synthetic", tmp_path / "run", lambda event: None)
    np.savez(
        tmp_path / "pieces.npz", x=np.stack([StemsModality().synthetic(3, 1).read(index).streams["main"] for index in range(3)]), sfreq=8000
    )
    said = CliRunner().invoke(stems, [str(tmp_path / "run"), "--data", str(tmp_path / "pieces.npz"), "--json"], catch_exceptions=False)
    found = json.loads(said.output.splitlines()[-1])
    assert set(found) == {"encoder", "untrained"}
    assert found["encoder"]["queries"] == 12
    assert 0 <= found["encoder"]["rank"] <= 1
    assert found["encoder"] != found["untrained"]
