"""Leads by name, beats with their intervals, errors that say what to do."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from jepakit_ecg.leads import LEADS, arranged
from jepakit_ecg.modality import EcgModality
from jepakit_ecg.options import EcgOptions
from jepakit_ecg.reader import EcgReader, intervals
from jepakit_ecg.records import Record

from jepakit.sdk import DataError

MODALITY = EcgModality()
DATA = os.environ.get("JEPAKIT_DATA")


def test_order_of_leads_in_a_file_changes_nothing(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(2, 12, 50)).astype(np.float32)
    turn = np.random.default_rng(1).permutation(12)
    np.savez(tmp_path / "a.npz", x=x, ch_names=np.array(LEADS), sfreq=100)
    np.savez(tmp_path / "b.npz", x=x[:, turn], ch_names=np.array(LEADS)[turn], sfreq=100)
    ours, theirs = (MODALITY.open(str(tmp_path / name), "train").read(1).streams["main"] for name in ("a.npz", "b.npz"))
    np.testing.assert_array_equal(ours, theirs)


def test_leads_that_were_not_recorded_take_no_memory(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((1, 2, 400), np.float32), ch_names=["V1", "II"], sfreq=100)
    reader = MODALITY.open(f"{tmp_path / 'a.npz'}::rate=50", "train")
    assert isinstance(reader, EcgReader)
    assert (reader.records[0].signal.shape, reader.records[0].leads) == ((2, 200), (6, 1))
    assert np.flatnonzero(np.isfinite(reader.read(0).streams["main"]).all(1)).tolist() == [1, 6]


def test_several_diagnoses_of_a_record_are_said_to_be_several(tmp_path: Path) -> None:
    x, y = np.zeros((2, 1, 50), np.float32), np.array([[0, 1, 1], [0, 0, 0]], np.int8)
    np.savez(tmp_path / "a.npz", x=x, y=y, ch_names=["II"], sfreq=100)
    np.savez(tmp_path / "b.npz", x=x, y=[0, 1], ch_names=["II"], sfreq=100)
    several, one = (MODALITY.open(str(tmp_path / name), "train") for name in ("a.npz", "b.npz"))
    assert (several.spec()["label_kind"], several.read(0).label.tolist()) == ("multilabel", [0, 1, 1])
    assert "label_kind" not in one.spec()


def test_long_records_are_advised_to_be_cut(tmp_path: Path) -> None:
    for name, steps in (("short", 1000), ("long", 10_000)):
        np.savez(tmp_path / f"{name}.npz", x=np.zeros((1, 1, steps), np.float32), ch_names=["II"], sfreq=100)
    short, long = (MODALITY.advice(MODALITY.open(str(tmp_path / f"{name}.npz"), "train").read(0)) for name in ("short", "long"))
    assert (short.options, short.reason) == ("", "")
    assert len(MODALITY.open(f"{tmp_path / 'long.npz'}::{long.options}", "train")) == 10


def test_three_leads_leave_nine_missing() -> None:
    found = arranged(np.ones((3, 4), np.float32), ("V2", "MLII", "avf"), "test")
    assert np.flatnonzero(np.isfinite(found).all(1)).tolist() == [1, 5, 7]


@pytest.mark.parametrize(("names", "said"), [(("II", "MLII"), "same one"), (("II", "EEG"), "no lead"), (("II",), "one name a lead")])
def test_leads_are_never_mixed_silently(names: tuple[str, ...], said: str) -> None:
    with pytest.raises(DataError, match=said):
        arranged(np.ones((2, 4), np.float32), names, "test")


def test_intervals_are_seconds() -> None:
    np.testing.assert_allclose(intervals(np.array([0, 100, 200, 250]), 2, 100.0), [1.0, 0.5, 1.0, 0.5])


def beating(count: int = 40) -> Record:
    """Beats of one shape every second at 100 Hz, of which every fifth is upside down; 0.2 mV of offset."""
    signal = np.full((12, 100 * (count + 1)), np.nan, dtype=np.float32)
    signal[1] = 0.2
    places = np.arange(1, count + 1) * 100
    for number, place in enumerate(places):
        signal[1, place - 10 : place + 10] += np.hanning(20).astype(np.float32) * (-1 if number % 5 == 0 else 1)
    return Record("r", signal, 100.0, "r", None, places, (np.arange(count) % 5 == 0).astype(int))


def test_what_is_usual_is_taken_out_of_beats() -> None:
    options = EcgOptions(beats=True, centre=True, seconds=1.0)
    samples = [reader.read(index) for reader in [EcgReader([beating()], options)] for index in range(len(reader))]
    shapes = np.stack([sample.streams["main"][1] for sample in samples])
    usual = np.array([sample.label == 0 for sample in samples])
    np.testing.assert_allclose(shapes[usual], 0.0, atol=1e-6)
    assert (np.abs(shapes[~usual]).max(1) > 1.5).all()
    assert all(np.isnan(sample.streams["main"][0]).all() for sample in samples)


def test_sources_at_different_rates_do_not_mix(tmp_path: Path) -> None:
    for name, rate in (("a", 100), ("b", 200)):
        np.savez(tmp_path / f"{name}.npz", x=np.ones((2, 1, 400), np.float32), ch_names=["II"], sfreq=rate, y=[0, 1])
    with pytest.raises(DataError, match="100 Hz and 200 Hz; bring them to one with ::rate=HZ"):
        MODALITY.open(f"{tmp_path}/a.npz,{tmp_path}/b.npz", "train")
    both = MODALITY.open(f"{tmp_path}/a.npz,{tmp_path}/b.npz::rate=100::seconds=2::balance=even", "train")
    assert [both.read(index).streams["main"].shape for index in (0, len(both) - 1)] == [(12, 200)] * 2
    assert both.read(0).label is None


def test_bundled() -> None:
    assert len(MODALITY.open("bundled:ecg", "train")) == 11


@pytest.mark.skipif(DATA is None, reason="needs JEPAKIT_DATA")
def test_beats_of_a_flac_coded_record() -> None:
    reader = MODALITY.open(f"{DATA}/ecg_mitbih::records=100::rate=120::seconds=3::beats=yes", "train")
    labels = [reader.read(index).label for index in range(len(reader))]
    assert 2250 < len(labels) <= 2273
    assert labels.count(1) == 33
    sample = reader.read(5)
    assert sample.streams["main"].shape == (12, 360)
    assert sample.group == "100"
    assert np.isfinite(sample.streams["main"]).all(1).nonzero()[0].tolist() == [1, 10]
