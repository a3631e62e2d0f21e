"""Leads by name, beats with their intervals, errors that say what to do."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from jepakit_ecg.leads import LEADS, arranged
from jepakit_ecg.modality import EcgModality
from jepakit_ecg.reader import intervals

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


def test_three_leads_leave_nine_missing() -> None:
    found = arranged(np.ones((3, 4), np.float32), ("V2", "MLII", "avf"), "test")
    assert np.flatnonzero(np.isfinite(found).all(1)).tolist() == [1, 5, 7]


@pytest.mark.parametrize(("names", "said"), [(("II", "MLII"), "same one"), (("II", "EEG"), "no lead"), (("II",), "one name a lead")])
def test_leads_are_never_mixed_silently(names: tuple[str, ...], said: str) -> None:
    with pytest.raises(DataError, match=said):
        arranged(np.ones((2, 4), np.float32), names, "test")


def test_intervals_are_seconds() -> None:
    np.testing.assert_allclose(intervals(np.array([0, 100, 200, 250]), 2, 100.0), [1.0, 0.5, 1.0, 0.5])


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
