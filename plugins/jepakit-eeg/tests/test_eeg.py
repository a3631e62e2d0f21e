"""Recordings through MNE, subjects, and errors that say what to do."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pytest
from jepakit_eeg.modality import EegModality

from jepakit.sdk import DataError

MODALITY = EegModality()


def test_fif_in_microvolts_with_subject_from_its_name(tmp_path: Path) -> None:
    signal = np.random.default_rng(0).normal(size=(3, 500)) * 1e-5
    info = mne.create_info(["Oz", "O1", "EOG"], 100.0, ["eeg", "eeg", "eog"])
    (tmp_path / "sub-07").mkdir()
    mne.io.RawArray(signal, info, verbose="ERROR").save(tmp_path / "sub-07" / "sub-07_raw.fif", verbose="ERROR")
    reader = MODALITY.open(f"{tmp_path}::seconds=2", "train")
    sample = reader.read(1)
    assert len(reader) == 2
    assert (sample.group, sample.meta["rate_hz"], sample.meta["channels"]) == ("07", 100.0, ("Oz", "O1"))
    np.testing.assert_allclose(sample.streams["main"], signal[:2, 200:400] * 1e6, rtol=1e-4, atol=1e-4)


def test_subjects_and_their_scale(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(6, 2, 50)).astype(np.float32) * np.arange(1, 7)[:, None, None]
    np.savez(tmp_path / "a.npz", x=x, group=[1, 1, 2, 2, 3, 3], y=[0, 1] * 3, sfreq=100, ch_names=["Oz", "O1"])
    reader = MODALITY.open(f"{tmp_path}/a.npz::subjects=2:3::standardise=yes", "train")
    assert [reader.read(index).group for index in range(len(reader))] == ["2", "2", "3", "3"]
    both = np.concatenate([reader.read(index).streams["main"] for index in (0, 1)], axis=1)
    np.testing.assert_allclose([both.mean(1), both.std(1)], [[0, 0], [1, 1]], atol=1e-5)


def test_damaged_and_missing_files_name_themselves(tmp_path: Path) -> None:
    (tmp_path / "a.edf").write_bytes(b"0       nothing of the kind")
    for name in ("a.edf", "nowhere.edf"):
        with pytest.raises(DataError, match=name):
            MODALITY.open(str(tmp_path / name), "train")
