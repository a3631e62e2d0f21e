"""Damaged records of every kind give samples or a DataError, nothing else. JEPAKIT_MUTATIONS=10000 runs that many a kind."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from jepakit_ecg.modality import EcgModality

from jepakit.sdk import DataError

MODALITY = EcgModality()
COUNT = int(os.environ.get("JEPAKIT_MUTATIONS", "60"))
SIGNAL = np.random.default_rng(0).normal(size=(400, 2))


def npz(folder: Path) -> str:
    x = np.round(SIGNAL.T[None].repeat(3, 0) * 1000).astype(np.int16)
    np.savez(folder / "a.npz", x=x, scale=np.float32(1e-3), rhythm=["A", "B", "A"], ch_names=["II", "V1"], sfreq=100)
    return f"{folder / 'a.npz'}::label=rhythm"


def record(folder: Path, form: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wfdb 4.3 uses what newer pandas deprecates
        import wfdb

        wfdb.wrsamp("r", 100, ["mV", "mV"], ["MLII", "V1"], p_signal=SIGNAL, fmt=[form, form], write_dir=str(folder))
        wfdb.wrann("r", "atr", np.arange(40, 400, 80), list("NVNAN"), write_dir=str(folder))
    return f"{folder / 'r'}::seconds=1::beats=yes"


def wfdb_16(folder: Path) -> str:
    return record(folder, "16")


def wfdb_212(folder: Path) -> str:
    return record(folder, "212")


def wfdb_flac(folder: Path) -> str:
    return record(folder, "516")


def damaged(whole: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes changed, a stretch zeroed, repeated or left out, or the end cut off."""
    data = bytearray(whole)
    for place in rng.integers(0, len(data), rng.integers(1, 9)):
        data[place] = rng.integers(256)
    start, size = int(rng.integers(len(data))), int(rng.integers(1, 65))
    kind = rng.integers(6)
    part = data[start : start + size]
    data[start : start + size] = {0: bytes(len(part)), 1: part + part, 2: b""}.get(int(kind), part)
    return bytes(data[: rng.integers(1, len(data) + 1)] if kind == 3 else data)


@pytest.mark.parametrize("write", [wfdb_16, wfdb_212, wfdb_flac], ids=lambda write: write.__name__)
def test_whole_records_agree(tmp_path: Path, write: Callable[[Path], str]) -> None:
    reader = MODALITY.open(write(tmp_path).partition("::")[0], "train")
    signal = reader.read(0).streams["main"]
    np.testing.assert_allclose(signal[[1, 6]], SIGNAL.T, atol=0.01)
    assert np.isnan(signal[[0, *range(2, 6), *range(7, 12)]]).all()


def test_a_rate_of_zero_is_named(tmp_path: Path) -> None:
    source = wfdb_16(tmp_path)
    header = tmp_path / "r.hea"
    header.write_text(header.read_text().replace("r 2 100 ", "r 2 0 ", 1))
    with pytest.raises(DataError, match=r"r\.hea: 0.* samples a second; expected a rate above 0"):
        MODALITY.open(source, "train")


@pytest.mark.parametrize("write", [npz, wfdb_16, wfdb_212, wfdb_flac], ids=lambda write: write.__name__)
def test_damaged_records_give_only_data_errors(tmp_path: Path, write: Callable[[Path], str]) -> None:
    source = write(tmp_path)
    files = sorted(tmp_path.iterdir())
    whole = [file.read_bytes() for file in files]
    for turn in range(COUNT):
        rng = np.random.Generator(np.random.Philox(key=turn))
        which = int(rng.integers(len(files)))
        files[which].write_bytes(damaged(whole[which], rng))
        with contextlib.suppress(DataError):
            reader = MODALITY.open(source, "train")
            for index in range(len(reader)):
                sample = reader.read(index)
                assert sample.streams["main"].dtype == np.float32
                assert len(sample.streams["main"]) == 12
                assert np.isfinite(sample.meta.get("facts", ())).all()
        files[which].write_bytes(whole[which])
