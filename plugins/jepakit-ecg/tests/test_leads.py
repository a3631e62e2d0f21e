"""An encoder of twelve leads given three of them, or given them in another order: it degrades, and never takes one lead for another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jepakit_ecg.leads import LEADS
from jepakit_ecg.modality import EcgModality
from jepakit_ecg.views import LeadSettings, LeadView

from jepakit.build import build, build_modality, fit_tokenizers
from jepakit.config import load_config
from jepakit.contracts import Sample
from jepakit.data.loader import eval_batches
from jepakit.memory import MemoryReader
from jepakit.plugin_host.loader import discover

MODALITY = EcgModality()
SMALL = ("encoder.width=32", "encoder.heads=2", "encoder.depth=2", "predictor.width=16", "predictor.heads=1", "transform.levels=[0,-1]")


def written(path: Path, x: np.ndarray, rows: list[int]) -> str:
    """Rows of x (N, 12, T) under the names of their leads."""
    np.savez(path, x=x[:, rows], ch_names=np.array(LEADS)[rows], sfreq=100)
    return str(path)


@pytest.fixture(scope="module")
def recordings() -> np.ndarray:
    reader = MODALITY.synthetic(60, 0)
    whole = [reader.read(index).streams["main"] for index in range(60)]
    return np.stack([signal for signal in whole if np.isfinite(signal).all()][:12])


@pytest.mark.parametrize("recipe", ["ecg", "ecg-lead", "ecg-rhythm"])
def test_leads_are_told_apart_by_name(tmp_path: Path, recordings: np.ndarray, recipe: str) -> None:
    config = load_config(recipe, SMALL, host := discover())
    torch.manual_seed(0)
    everything = list(range(12))
    turned = np.random.default_rng(0).permutation(12).tolist()
    sources = {"whole": everything, "turned": turned, "three": [1, 6, 10], "three turned": [10, 1, 6], "wrong three": [2, 7, 9]}
    readers = {name: MODALITY.open(written(tmp_path / f"{name}.npz", recordings, rows), "train") for name, rows in sources.items()}
    parts = build(config, host, readers["whole"].spec(), build_modality(config, host))
    fit_tokenizers(parts, readers["whole"])
    backbone = parts.jepa.backbone.eval()

    def embedded(name: str) -> torch.Tensor:
        batch = next(iter(eval_batches(readers[name], 12, parts.tokenizers)))
        features = backbone.embed(batch)
        valid = torch.ones(features.last.shape[:2]) if features.valid is None else features.valid.float()
        return (features.last * valid[..., None]).sum(1) / valid.sum(1, keepdim=True)

    with torch.inference_mode():
        found = {name: embedded(name) for name in sources}
    torch.testing.assert_close(found["turned"], found["whole"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found["three turned"], found["three"], atol=1e-5, rtol=1e-5)
    near, far = ((found[name] - found["three"]).norm(dim=1).mean() for name in ("three turned", "wrong three"))
    assert far > 100 * near
    assert all(torch.isfinite(part).all() for part in found.values())


@pytest.mark.parametrize("recipe", ["ecg", "ecg-lead", "ecg-rhythm"])
def test_two_leads_beside_twelve_in_one_batch_change_nothing(recordings: np.ndarray, recipe: str) -> None:
    """Missing leads are no values: not zero, and not those of a neighbour in the batch."""
    config = load_config(recipe, SMALL, host := discover())
    two = recordings[0].copy()
    two[[0, *range(2, 10), 11]] = np.nan
    mixed = MemoryReader([recordings[1], two], kind="ecg", facts={"channels": 12})
    alone = MemoryReader([two], kind="ecg", facts={"channels": 12})
    parts = build(config, host, mixed.spec(), build_modality(config, host))
    backbone = parts.jepa.backbone.eval()
    with torch.inference_mode():
        together, single = (backbone.embed(next(iter(eval_batches(reader, 2, parts.tokenizers)))) for reader in (mixed, alone))
    twelve, keep = torch.ones(together.last.shape[:2], dtype=torch.bool) if together.valid is None else together.valid
    own = torch.ones(single.last.shape[1], dtype=torch.bool) if single.valid is None else single.valid[0]
    torch.testing.assert_close(together.last[1][keep], single.last[0][own], atol=1e-5, rtol=1e-5)
    assert int(twelve.sum()) == (1 if recipe == "ecg" else 6) * int(keep.sum())


def test_missing_and_zero_are_not_the_same(recordings: np.ndarray) -> None:
    config = load_config("ecg", SMALL, host := discover())
    missing, flat = recordings[0].copy(), recordings[0].copy()
    missing[3:], flat[3:] = np.nan, 0.0
    reader = MemoryReader([missing, flat], kind="ecg", facts={"channels": 12})
    parts = build(config, host, reader.spec(), build_modality(config, host))
    with torch.inference_mode():
        tokens = parts.tokenizers["main"](next(iter(eval_batches(reader, 2, parts.tokenizers))).streams["main"])
    assert not torch.allclose(tokens.x[0], tokens.x[1], atol=1e-3)


def test_the_view_takes_leads_away_and_keeps_the_rest(recordings: np.ndarray) -> None:
    sample = Sample({"main": recordings[0]}, id="a")
    view = LeadView(LeadSettings(drop=1.0))
    counts = set()
    for turn in range(60):
        rng = np.random.Generator(np.random.Philox(key=turn))
        seen = view(sample, rng, 0.0).streams["main"]
        kept = np.isfinite(seen).all(axis=1)
        np.testing.assert_array_equal(seen[kept], recordings[0][kept])
        assert np.isnan(seen[~kept]).all()
        counts.add(int(kept.sum()))
    assert counts == set(range(1, 12))


def test_the_view_leaves_what_is_missing_missing(recordings: np.ndarray) -> None:
    signal = recordings[0].copy()
    signal[4], signal[5, :20] = np.nan, np.nan
    view = LeadView(LeadSettings(scale=0.5, noise=0.1, crop=1.0))
    seen = view(replace(Sample({"main": signal}, id="a")), np.random.default_rng(0), 0.0).streams["main"]
    np.testing.assert_array_equal(np.isnan(seen), np.isnan(signal))
    assert not np.array_equal(seen, signal)
