"""Clips from folders, csv lists, npz and windows of long files; every kind of bad input is one sentence that names file and field."""

from __future__ import annotations

import contextlib
import os
import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from jepakit.sdk import DataError, Reader
from jepakit_modalities.audio.modality import AudioModality

soundfile = pytest.importorskip("soundfile")
RATE = 8000
CLIP = (0.5 * np.sin(np.arange(4000) / 5)).astype(np.float32)


def write(path: Path, sound: np.ndarray = CLIP, rate: int = RATE, **options: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, **options)
    return path


def open_(source: Path | str, split: str = "train") -> Reader:
    return AudioModality().open(str(source), split)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("no/1.wav", "no/2.flac", "yes/1.ogg", "yes/2.mp3"):
        write(tmp_path / "clips" / name)
    return tmp_path / "clips"


def test_a_folder_of_four_formats(folder: Path) -> None:
    reader = open_(folder)
    samples = [reader.read(index) for index in range(4)]
    assert [sample.label for sample in samples] == [0, 0, 1, 1]
    assert reader.spec() == {"kind": "audio", "channels": 1, "rate_hz": RATE, "class_names": ["no", "yes"], "count": 4}
    for sample, tolerance in zip(samples, (1e-4, 1e-4, 0.1, 0.1)):
        assert sample.streams["main"].dtype == np.float32
        assert sample.meta["rate_hz"] == RATE
        np.testing.assert_allclose(sample.streams["main"][0, 500:3500], CLIP[500:3500], atol=tolerance)


def test_sixteen_bits_come_out_exactly(tmp_path: Path) -> None:
    stored = np.array([-32768, -1, 0, 1, 32767] * 100, dtype=np.int16)
    path = write(tmp_path / "a.flac", stored)
    np.testing.assert_array_equal(open_(path).read(0).streams["main"][0] * 32768, stored)


def test_missing_samples_of_a_float_file_stay_missing(tmp_path: Path) -> None:
    holed = CLIP.copy()
    holed[10:20] = np.nan
    path = write(tmp_path / "a.wav", holed, subtype="FLOAT")
    assert np.isnan(open_(path).read(0).streams["main"]).sum() == 10


def test_a_list_beside_a_folder_of_recordings(tmp_path: Path) -> None:
    for name in "abc":
        write(tmp_path / "audio" / f"{name}.wav")
    (tmp_path / "metadata.csv").write_text("file,label,speaker,split\na.wav,two,ann,train\nb.wav,one,bob,test\nc.wav,two,bob,train\n")
    train, whole = open_(tmp_path), open_(tmp_path, "all")
    assert [(sample.label, sample.group) for sample in map(train.read, range(2))] == [(1, "ann"), (1, "bob")]
    assert len(whole) == 3
    assert open_(f"{tmp_path / 'metadata.csv'}::label=speaker,group=file").read(1).label == 1


def test_a_list_without_a_group_or_with_it_alone(tmp_path: Path) -> None:
    for name in "abc":
        write(tmp_path / "audio" / f"{name}.wav")
    (tmp_path / "metadata.csv").write_text("file,label,speaker,split\na.wav,2,ann,train\nb.wav,1,bob,test\nc.wav,2,bob,train\n")

    def names(options: str, split: str = "train") -> list[str]:
        reader = open_(f"{tmp_path}::{options}", split)
        return [reader.read(index).id for index in range(len(reader))]

    assert names("without=ann,split=all") == ["b.wav", "c.wav"]
    assert names("only=ann,split=all", "test") == ["a.wav"]
    assert names("without=ann") == ["c.wav"]
    with pytest.raises(DataError, match=r"without=eve.*bob"):
        names("without=eve")
    with pytest.raises(DataError, match="csv list"):
        open_(f"{tmp_path / 'audio'}::only=ann")


def test_npz_packed_padded_and_scaled(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", x=np.arange(10, dtype=np.int16), offsets=[0, 4, 10], sfreq=100, y=[1, 0], group=["s", "t"])
    packed = open_(tmp_path / "p.npz")
    np.testing.assert_allclose(packed.read(1).streams["main"][0] * 32768, np.arange(4, 10))
    assert (packed.read(1).label, packed.read(1).group, packed.read(1).meta["rate_hz"]) == (0, "t", 100)
    np.savez(tmp_path / "q.npz", x=np.ones((2, 3, 5)), len=[5, 2], sfreq=100, scale=0.5)
    assert open_(tmp_path / "q.npz").read(1).streams["main"].tolist() == [[0.5, 0.5]] * 3


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.ones((2, 5))}, "sfreq"),
        ({"x": np.ones(5), "sfreq": 100}, "offsets"),
        ({"x": np.ones(5), "sfreq": 100, "offsets": [0, 3, 9]}, "5 samples"),
        ({"x": np.ones((2, 5)), "sfreq": 100, "len": [1, 6]}, "len"),
        ({"x": np.ones((2, 5)), "sfreq": 100, "y": [1]}, "y has 1"),
    ],
)
def test_what_is_wrong_with_an_npz_is_said(tmp_path: Path, arrays: dict[str, np.ndarray], said: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=said):
        open_(tmp_path / "a.npz")


def test_two_rates_are_an_error_that_names_both_until_one_is_asked_for(folder: Path) -> None:
    write(folder / "yes" / "3.wav", rate=16000)
    reader = open_(folder)
    with pytest.raises(DataError, match=r"3\.wav is sampled at 16000 Hz.*1\.wav at 8000 Hz.*rate_hz=8000"):
        reader.read(4)
    asked = open_(f"{folder}::rate_hz=8000")
    assert asked.read(4).streams["main"].shape == (1, 2000)
    assert asked.read(4).meta["rate_hz"] == RATE
    assert asked.fingerprint() != reader.fingerprint()


def test_resampling_keeps_a_tone(tmp_path: Path) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000).astype(np.float32)
    found = open_(f"{write(tmp_path / 'a.wav', tone, 16000)}::rate_hz=8000").read(0).streams["main"][0]
    np.testing.assert_allclose(found[100:-100], tone[::2][100:-100], atol=5e-3)


def test_long_recordings_are_read_in_windows(tmp_path: Path) -> None:
    long = np.repeat(np.arange(70, dtype=np.float32) / 100, RATE)
    path = write(tmp_path / "day.flac", long)
    with pytest.raises(DataError, match=r"lasts 70 s.*window_s=10"):
        open_(path).read(0)
    reader = open_(f"{path}::window_s=10")
    assert len(reader) == 7
    np.testing.assert_allclose(reader.read(6).streams["main"][0, ::RATE], np.arange(60, 70) / 100, atol=1e-4)
    assert reader.read(3).group == "day.flac"


def test_a_day_takes_the_memory_of_a_window(tmp_path: Path) -> None:
    rate, minute = 200, np.zeros(60 * 200, dtype=np.int16)
    with soundfile.SoundFile(str(tmp_path / "day.flac"), "w", rate, 1) as file:
        for _ in range(24 * 60):
            file.write(minute)
    tracemalloc.start()
    reader = open_(f"{tmp_path / 'day.flac'}::window_s=10")
    shapes = {reader.read(index).streams["main"].shape for index in range(0, len(reader), 400)}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(reader) == 24 * 360
    assert shapes == {(1, 2000)}
    assert peak < 8e6, "the whole day is 69 MB"


def test_other_channels_are_an_error(folder: Path) -> None:
    write(folder / "yes" / "3.wav", np.stack([CLIP, CLIP], axis=1))
    with pytest.raises(DataError, match=r"3\.wav has 2 channels"):
        open_(folder).read(4)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nothing-here", "no such file"),
        ("clips::rate=8000", "Did you mean 'rate_hz'"),
        ("clips::rate_hz=fast", "above zero"),
        ("clips::rate_hz=1,rate_hz=2", "twice"),
        ("bundled:birds", "no package"),
        ("empty", "holds no sound"),
        ("bad.wav", "not a readable sound file"),
        ("text.txt", "can't tell"),
        ("list.csv", r"line 2.*gone\.wav"),
        ("other.csv", "no column of file names"),
    ],
)
def test_what_is_wrong_with_a_source_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str, said: str) -> None:
    monkeypatch.chdir(folder.parent)
    Path("empty").mkdir()
    Path("bad.wav").write_bytes(b"RIFFnoise")
    Path("text.txt").write_text("x")
    Path("list.csv").write_text("path,label\ngone.wav,1\n")
    Path("other.csv").write_text("clip\na.wav\n")
    with pytest.raises(DataError, match=said):
        open_(source).read(0)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "npz"])
def test_damaged_files_give_only_documented_errors(tmp_path: Path, kind: str) -> None:
    whole = tmp_path / f"whole.{kind}"
    if kind == "npz":
        np.savez(whole, x=np.ones((2, 50), np.int16), sfreq=100, y=[0, 1])
    else:
        write(whole)
    data, chance = whole.read_bytes(), random.Random(0)
    for number in range(int(os.environ.get("JEPAKIT_MUTATIONS", "60"))):
        changed = bytearray(data[: chance.randrange(1, len(data) + 1)] if number % 3 == 0 else data)
        for _ in range(chance.randrange(1, 8)):
            changed[chance.randrange(min(len(changed), 300 if number % 2 else len(changed)))] = chance.randrange(256)
        path = tmp_path / f"a.{kind}"
        path.write_bytes(changed)
        with contextlib.suppress(DataError):
            reader = open_(path)
            assert all(reader.read(index).streams["main"].dtype == np.float32 for index in range(len(reader)))


@pytest.mark.skipif("JEPAKIT_DATA" not in os.environ, reason="needs JEPAKIT_DATA")
def test_spoken_digits_open_as_they_lie() -> None:
    reader = open_(Path(os.environ["JEPAKIT_DATA"]) / "audio_fsdd", "all")
    assert len(reader) == 3000
    assert (reader.read(0).label, reader.read(0).group, reader.read(0).meta["rate_hz"]) == (0, "george", 8000)
    assert {reader.read(index).group for index in range(0, 3000, 37)} == {"george", "jackson", "lucas", "nicolas", "theo", "yweweler"}
