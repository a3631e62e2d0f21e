"""Damaged files of every format give recordings or a DataError, nothing else. JEPAKIT_MUTATIONS=10000 runs that many a format."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import mne
import numpy as np
import pytest
from jepakit_eeg.modality import EegModality

from jepakit.sdk import DataError

MODALITY = EegModality()
COUNT = int(os.environ.get("JEPAKIT_MUTATIONS", "40"))
NAMES = ("Oz", "O1")
SIGNAL = np.random.default_rng(0).normal(scale=20, size=(2, 64)).astype(np.float32)


def npz(folder: Path) -> Path:
    np.savez(folder / "a.npz", x=SIGNAL[None].repeat(3, 0), y=[0, 1, 0], group=["1", "1", "2"], ch_names=NAMES, sfreq=32)
    return folder / "a.npz"


def edf(folder: Path) -> Path:
    """Two records of a second, two signals of 32 samples: 768 bytes of header (Kemp et al. 1992), then int16."""

    def field(texts: list[str], width: int) -> bytes:
        return b"".join(text.encode().ljust(width) for text in texts)

    head = field(["0"], 8) + field(["X", "X"], 80) + b"01.01.2001.00.00" + field(["768"], 8) + field([""], 44) + field(["2", "1"], 8)
    head += field(["2"], 4) + field([f"EEG {name}" for name in NAMES], 16) + field(["", ""], 80) + field(["uV", "uV"], 8)
    head += field(["-100", "-100"], 8) + field(["100", "100"], 8) + field(["-32768", "-32768"], 8) + field(["32767", "32767"], 8)
    head += field(["", ""], 80) + field(["32", "32"], 8) + field(["", ""], 32)
    values = (SIGNAL * 327).astype("<i2").reshape(2, 2, 32).transpose(1, 0, 2)
    (folder / "a.edf").write_bytes(head + values.tobytes())
    return folder / "a.edf"


def fif(folder: Path) -> Path:
    raw = mne.io.RawArray(SIGNAL * 1e-6, mne.create_info(list(NAMES), 32.0, "eeg"), verbose="ERROR")
    raw.save(folder / "a_raw.fif", verbose="ERROR")
    return folder / "a_raw.fif"


def brainvision(folder: Path) -> Path:
    (folder / "a.eeg").write_bytes(SIGNAL.T.astype("<f4").tobytes())
    head = "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nDataFile=a.eeg\nDataFormat=BINARY\n"
    head += "DataOrientation=MULTIPLEXED\nNumberOfChannels=2\nSamplingInterval=31250\n"
    head += "[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n[Channel Infos]\n"
    (folder / "a.vhdr").write_text(head + "Ch1=Oz,,1,µV\nCh2=O1,,1,µV\n", encoding="utf-8")
    return folder / "a.vhdr"


def eeglab(folder: Path) -> Path:
    from scipy.io import savemat

    places = np.array([(name, 0.0, 0.0, 0.0) for name in NAMES], dtype=[("labels", "O"), ("X", "O"), ("Y", "O"), ("Z", "O")])
    held = {"data": SIGNAL, "srate": 32.0, "nbchan": 2.0, "pnts": 64.0, "trials": 1.0, "xmin": 0.0, "chanlocs": places, "event": []}
    savemat(folder / "a.set", {"EEG": held}, appendmat=False)
    return folder / "a.set"


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


def test_whole_files_agree(tmp_path: Path) -> None:
    for write in (edf, fif, brainvision, eeglab):
        sample = MODALITY.open(str(write(tmp_path)), "train").read(0)
        names = tuple(name.removeprefix("EEG ") for name in sample.meta["channels"])
        assert (sample.meta["rate_hz"], names) == (32.0, NAMES), write.__name__
        factor = 327 * 100 / 32767.5 if write is edf else 1.0
        np.testing.assert_allclose(sample.streams["main"], SIGNAL * factor, atol=0.01, err_msg=write.__name__)
        assert np.isfinite(sample.meta["positions"]).all()


@pytest.mark.parametrize(("field", "value"), [(12, 36), (8, -52)], ids=["link to itself", "length that leads to the start"])
def test_tags_that_lead_back_never_reach_mne(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: int, value: int) -> None:
    path = fif(tmp_path)
    data = bytearray(path.read_bytes())
    second = 16 + int.from_bytes(data[8:12], "big")
    assert second == 36
    data[second + field : second + field + 4] = value.to_bytes(4, "big", signed=True)
    path.write_bytes(bytes(data))
    monkeypatch.setattr(mne.io, "read_raw", None)  # which would not return
    with pytest.raises(DataError, match="its tags lead back to byte"):
        MODALITY.open(str(path), "train")


@pytest.mark.parametrize("write", [npz, edf, fif, brainvision, eeglab], ids=lambda write: write.__name__)
def test_damaged_files_give_only_data_errors(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    path = write(tmp_path)
    files = sorted(tmp_path.iterdir())
    whole = [file.read_bytes() for file in files]
    for turn in range(COUNT):
        rng = np.random.Generator(np.random.Philox(key=turn))
        which = int(rng.integers(len(files)))
        files[which].write_bytes(damaged(whole[which], rng))
        with warnings.catch_warnings(), contextlib.suppress(DataError):
            warnings.simplefilter("ignore", ResourceWarning)
            reader = MODALITY.open(str(path), "train")
            for index in range(len(reader)):
                sample = reader.read(index)
                assert sample.streams["main"].dtype == np.float32
                assert len(sample.streams["main"]) == len(sample.meta["positions"])
        files[which].write_bytes(whole[which])
