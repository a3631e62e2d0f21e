"""Electrodes by position: any order, any choice, different montages in one batch; regions of the head; alignment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jepakit_eeg.alignment import aligned
from jepakit_eeg.electrodes import measured, position, positions
from jepakit_eeg.masker import RegionMasker, RegionSettings
from jepakit_eeg.modality import EegModality
from jepakit_eeg.places import AXES, full_layout
from jepakit_eeg.reader import EegReader, Recording
from jepakit_eeg.tokenizer import EegSettings, EegTokenizer, sine_tapers
from jepakit_eeg.whitening import power, whitened

from jepakit.build import build, build_modality, fit_tokenizers
from jepakit.config import load_config
from jepakit.data.loader import eval_batches
from jepakit.plugin_host.loader import discover
from jepakit.sdk import ContractError, DataError, MaskRequest

HEAD = ("Oz", "O1", "O2", "POz", "Cz", "Fz", "C3", "C4")
RATE = 128.0
SMALL = ("encoder.width=32", "encoder.heads=2", "encoder.depth=2", "predictor.width=16", "predictor.heads=1", "transform.levels=[0,-1]")


def recording(names: tuple[str, ...], key: int = 0, seconds: int = 3) -> Recording:
    """Noise; an electrode's is the same in every montage."""
    rows = [np.random.Generator(np.random.Philox(key=[key, HEAD.index(name)])).normal(size=round(seconds * RATE)) for name in names]
    return Recording(f"{key}/{'-'.join(names)}", np.array(rows, dtype=np.float32), RATE, names, positions(names), str(key))


@pytest.mark.parametrize("recipe", ["eeg", "eeg-signal"])
def test_montages_share_a_batch_and_order_means_nothing(recipe: str) -> None:
    config = load_config(recipe, SMALL, host := discover())
    three, turned, wrong = ("Oz", "C3", "Fz"), ("Fz", "Oz", "C3"), ("O1", "C4", "Cz")
    renamed = Recording("renamed", recording(three).signal, RATE, wrong, positions(wrong), "0")
    mixed = EegReader([recording(HEAD), recording(three), recording(turned), renamed, recording(HEAD[:2], seconds=2)])
    alone = EegReader([recording(three)])
    torch.manual_seed(0)
    parts = build(config, host, mixed.spec(), build_modality(config, host))
    fit_tokenizers(parts, mixed)
    backbone = parts.jepa.backbone.eval()
    with torch.inference_mode():
        batch = next(iter(eval_batches(mixed, 5, parts.tokenizers)))
        together, single = (backbone.embed(one) for one in (batch, next(iter(eval_batches(alone, 1, parts.tokenizers)))))
    assert together.valid is not None
    assert together.valid.sum(1).tolist() == [24, 9, 9, 9, 4]
    pooled = [features[valid].mean(0) for features, valid in zip(together.last, together.valid)]
    torch.testing.assert_close(pooled[1], single.last[0].mean(0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(pooled[2], pooled[1], atol=1e-5, rtol=1e-5)
    assert (pooled[3] - pooled[1]).norm() > 100 * (pooled[2] - pooled[1]).norm()


def test_names_of_recorders_and_derivations() -> None:
    np.testing.assert_array_equal(positions(["Oz", "EEG OZ-REF", "Oz..", "oz"]), positions(["Oz"] * 4))
    np.testing.assert_allclose(positions(["Fpz-Cz"])[0], positions(["Fpz", "Cz"]).mean(0))
    assert np.isnan(positions(["EOG", "Oz-EOG"])).all()


def test_an_electrode_without_a_place_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 2, 256), np.float32), ch_names=["Oz", "Nose"], sfreq=128)
    reader = EegModality().open(str(tmp_path / "a.npz"), "train")
    tokenizer = EegTokenizer(EegSettings(), width=8, spec=reader.spec())
    with pytest.raises(DataError, match=r"'Nose' is unknown; leave it out with ::keep="):
        tokenizer.layout(reader.read(0), "main")
    kept = EegModality().open(f"{tmp_path / 'a.npz'}::keep=Oz", "train").read(0)
    assert (kept.meta["channels"], kept.streams["main"].shape) == (("Oz",), (1, 256))


def test_the_spectrum_finds_a_tone_and_forgets_its_phase() -> None:
    """A token's content is largest at the tone's frequency; half a patch missing moves its level by little, NaN is no zero."""
    t = np.arange(256) / RATE
    tones = np.stack([np.sin(2 * np.pi * 17 * t), np.sin(2 * np.pi * 17 * t + 1.3)]).astype(np.float32)
    tokenizer = EegTokenizer(EegSettings(), width=8, spec={"rate_hz": RATE})
    tones[1, 20:60] = np.nan
    values = torch.from_numpy(tones)[None].reshape(1, 2, 2, 128)
    power = tokenizer._power(torch.nan_to_num(values), values.isfinite())
    assert power[0, 0].argmax(-1).tolist() in ([17, 17], [16, 16], [18, 18])
    torch.testing.assert_close(power[0, 1, 0].sum(), power[0, 0, 0].sum(), rtol=0.35, atol=0.0)


def test_tapers_are_orthonormal() -> None:
    tapers = sine_tapers(100, 5)
    torch.testing.assert_close(tapers @ tapers.T, torch.eye(5), atol=1e-5, rtol=0)


def test_alignment_makes_the_covariance_the_unit_matrix_and_keeps_gaps() -> None:
    mixing = np.random.default_rng(1).normal(size=(8, 8))
    made = [recording(HEAD, key) for key in (0, 0, 1)]
    made = [Recording(f"{n}", (mixing @ one.signal).astype(np.float32), RATE, HEAD, one.positions, one.group) for n, one in enumerate(made)]
    made[2].signal[3, :9] = np.nan
    out = aligned(made, "subject")
    joined = np.concatenate([out[0].signal, out[1].signal], axis=1)
    np.testing.assert_allclose(np.cov(joined), np.eye(8), atol=0.12)
    np.testing.assert_array_equal(np.isnan(out[2].signal), np.isnan(made[2].signal))
    with pytest.raises(DataError, match="different electrodes"):
        aligned([recording(HEAD), recording(HEAD[:3])], "subject")


def test_whitening_makes_a_subjects_mean_spectrum_flat_and_keeps_gaps() -> None:
    from scipy.signal import lfilter

    made = [recording(HEAD[:2], key, seconds=8) for key in range(6)]
    coloured = [replace(one, signal=lfilter([1], [1, -0.9], one.signal, axis=1).astype(np.float32), group="a") for one in made]
    coloured[0].signal[1, 40:60] = np.nan
    out = whitened(coloured)
    before, after = (np.mean([power(one) for one in part], axis=0)[:, 2:60] for part in (coloured, out))
    assert before.max() / before.min() > 50
    assert after.max() / after.min() < 2
    np.testing.assert_array_equal(np.isnan(out[0].signal), np.isnan(coloured[0].signal))
    with pytest.raises(DataError, match="a second at least"):
        whitened([replace(made[0], signal=made[0].signal[:, :50])])


@given(st.sets(st.sampled_from(HEAD), min_size=2), st.integers(1, 5), st.integers(0, 99), st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_a_region_is_whole_electrodes_near_each_other(names: set[str], count: int, key: int, contexts: int) -> None:
    places = positions(sorted(names))
    layout = full_layout(places.tobytes(), count)
    masker = RegionMasker(RegionSettings(contexts=contexts))
    rng, shared = (np.random.Generator(np.random.Philox(key=[key, part])) for part in (0, 1))
    plan = masker({"main": layout}, MaskRequest(rng=rng, shared=shared))
    assert len(plan.contexts) == contexts
    for context, query in zip(plan.contexts, plan.queries):
        seen, asked = set(layout.channel[context.positions.idx]), set(layout.channel[query.positions.idx])
        assert len(context.positions.idx) + len(query.positions.idx) == len(layout)
        assert seen
        assert asked
        assert not seen & asked
        far = np.linalg.norm(places[:, None] - places, axis=2)
        outside = list(seen)
        assert any(far[centre, list(asked)].max() <= far[centre, outside].min() for centre in asked)


def test_a_single_electrode_has_no_regions() -> None:
    layout = full_layout(positions(["Oz"]).tobytes(), 4)
    request = MaskRequest(rng=np.random.default_rng(0), shared=np.random.default_rng(0))
    assert layout.axes == AXES
    with pytest.raises(ContractError, match="single electrode"):
        RegionMasker(RegionSettings())({"main": layout}, request)


@pytest.mark.parametrize("nonsense", [0.0, np.nan, np.inf, 1e300])
def test_places_that_say_nothing_are_those_of_the_names(nonsense: float) -> None:
    """1e300 metres came from one changed byte of an EEGLAB file, and is more than a float32 holds."""
    places = np.array([[0.01, 0.02, 0.03], [nonsense] * 3])
    found = measured(places, ["Cz", "Oz"])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.01, 0.02, 0.03], position("Oz")], rtol=1e-6)
