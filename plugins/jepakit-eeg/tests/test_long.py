"""Long recordings: what is done with them is the same in a file as in memory, and takes the memory of a few electrodes."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import mne
import numpy as np
import pytest
from jepakit_eeg import room
from jepakit_eeg.modality import EegModality

OPTIONS = (
    "",
    "::band=1:12",
    "::rate=24",
    "::align=recording",
    "::whiten=yes",
    "::standardise=yes",
    "::band=1:12::rate=24::align=subject::whiten=yes",
)
ELECTRODES = (*(f"{row}{number}" for row in ("F", "FC", "C", "CP", "P") for number in range(1, 7)), "Fz", "Cz")
RATE, MINUTES = 100, 10


def written(folder: Path, length: int) -> Path:
    signal = np.random.default_rng(0).normal(scale=2e-5, size=(len(ELECTRODES), length))
    raw = mne.io.RawArray(signal, mne.create_info(list(ELECTRODES), RATE, "eeg"), verbose="ERROR")
    raw.save(folder / "long_raw.fif", verbose="ERROR")
    return folder / "long_raw.fif"


@pytest.mark.parametrize("options", OPTIONS)
def test_in_a_file_as_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str) -> None:
    path = written(tmp_path, 4 * RATE)
    near = EegModality().open(f"{path}{options}", "train")
    monkeypatch.setattr(room, "LARGE", 0)
    monkeypatch.setattr(room, "PIECE", 7)
    far = EegModality().open(f"{path}{options}", "train")
    assert isinstance(far.recordings[0].signal, np.memmap)
    assert not isinstance(near.recordings[0].signal, np.memmap)
    np.testing.assert_allclose(far.read(0).streams["main"], near.read(0).streams["main"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", OPTIONS)
def test_memory_is_that_of_a_few_electrodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str) -> None:
    path, whole = written(tmp_path, RATE * 60 * MINUTES), 4 * len(ELECTRODES) * RATE * 60 * MINUTES
    monkeypatch.setattr(room, "LARGE", 1 << 20)
    monkeypatch.setattr(room, "PIECE", 1 << 12)
    EegModality().open(str(path), "train")  # modules that are imported once are not what is measured
    tracemalloc.start()
    reader = EegModality().open(f"{path}{options}::seconds=4", "train")
    sample = reader.read(len(reader) - 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(reader) == MINUTES * 15
    assert np.isfinite(sample.streams["main"]).all()
    assert peak < 0.5 * whole, f"{peak / whole:.2f} of the recording"
