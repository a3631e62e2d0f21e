"""Films in files, folders and arrays: the frames that were asked for, clips that know their film, damage in one sentence."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jepakit.data.stream import GlobalStream
from jepakit.errors import DataError
from jepakit.sdk import Raw
from jepakit_modalities.video.address import ClipOptions, parsed
from jepakit_modalities.video.classical import MotionHog
from jepakit_modalities.video.modality import VideoModality
from jepakit_modalities.video.sources import open_source
from jepakit_modalities.video.tokenizer import TubeletSettings, TubeletTokenizer
from jepakit_modalities.video.views import ClipCropSettings, ClipCropView

MODALITY = VideoModality()
LEVELS = np.arange(20) * 12
"""Brightness of frame n of the films below: frames can be told apart after lossy coding."""


def film_file(path: Path, *, gop: int = 6) -> Path:
    """20 frames of 32 x 48 pixels at 10 a second, with B frames, so that the order of decoding is not that of showing."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mpeg4", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.gop_size, stream.max_b_frames, stream.bit_rate = gop, 2, 8_000_000
        for level in LEVELS:
            picture = np.full((32, 48, 3), level, dtype=np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                film.mux(packet)
        for packet in stream.encode():
            film.mux(packet)
    return path


def film_folder(folder: Path, count: int = 12, size: tuple[int, int] = (32, 24)) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        Image.new("RGB", size, (number, 0, 200)).save(folder / f"frame{number}.png")
    return folder


def brightness(source: str, index: int = 0) -> np.ndarray:
    """Mean of each frame of a clip."""
    return open_source(source).read(index).streams["main"].mean(axis=(0, 2, 3))


@pytest.mark.parametrize(("start", "every"), [(0, 1), (5, 1), (3, 4), (14, 2)])
def test_frames_of_a_file_are_those_that_were_asked_for(tmp_path: Path, start: int, every: int) -> None:
    path = film_file(tmp_path / "a.mp4")
    first = start / 20
    found = brightness(f"{path}::frames=3::every={every}::first={first}::stride=1")
    np.testing.assert_allclose(found, LEVELS[start : start + 3 * every : every], atol=6)
    clip = open_source(f"{path}::frames=3::every={every}").read(0)
    assert clip.meta["rate_hz"] == 10 / every
    assert (clip.id, clip.group) == ("a.mp4@0", "a.mp4")


def test_frames_of_a_folder_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    film_folder(tmp_path / "films" / "walk")
    (tmp_path / "films" / "poster.png").write_bytes((tmp_path / "films" / "walk" / "frame0.png").read_bytes())
    clip = open_source(f"{tmp_path / 'films'}::frames=12::every=1").read(0)
    assert clip.streams["main"].shape == (3, 12, 24, 32)
    assert clip.streams["main"][0, :, 0, 0].tolist() == list(range(12))
    assert (clip.id, clip.label) == ("walk@0", None)


def test_folders_two_deep_are_classes(tmp_path: Path) -> None:
    for name in ("run/a", "run/b", "sit/a"):
        film_folder(tmp_path / name)
    reader = open_source(f"{tmp_path}::frames=4::every=1")
    assert reader.spec()["class_names"] == ["run", "sit"]
    assert [(reader.read(index).label, reader.read(index).group) for index in (0, 3, 6)] == [(0, "run/a"), (0, "run/b"), (1, "sit/a")]


def test_arrays_with_channels_anywhere_and_their_labels(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 255, (2, 6, 16, 20, 3), dtype=np.uint8)
    np.savez(tmp_path / "last.npz", x=x, y=np.array([1, 0]), group=np.array(["p", "q"]), rate=5.0)
    np.savez(tmp_path / "second.npz", x=x.transpose(0, 1, 4, 2, 3))
    np.savez(tmp_path / "grey.npz", x=x[..., 0])
    clips = [open_source(f"{tmp_path / name}.npz::frames=3::every=2").read(1) for name in ("last", "second", "grey")]
    np.testing.assert_array_equal(clips[0].streams["main"], x[1, ::2].transpose(3, 0, 1, 2))
    np.testing.assert_array_equal(clips[1].streams["main"], clips[0].streams["main"])
    np.testing.assert_array_equal(clips[2].streams["main"], clips[0].streams["main"][:1])
    assert (clips[0].label, clips[0].group, clips[0].meta["rate_hz"]) == (0, "q", 2.5)


@given(
    st.integers(1, 200),
    st.integers(1, 20),
    st.integers(1, 8),
    st.one_of(st.none(), st.integers(1, 30)),
    st.floats(0, 0.9),
    st.floats(0.1, 1),
)
@settings(max_examples=200, deadline=None)
def test_clips_stay_inside_their_part_of_the_film(
    count: int, frames: int, every: int, stride: int | None, first: float, last: float
) -> None:
    options = ClipOptions(frames=(frames, frames + 2), every=every, stride=stride, first=first, last=last)
    for cut in options.cuts(count):
        assert len(cut) in options.frames
        assert round(first * count) <= cut[0]
        assert cut[-1] < round(last * count)


def test_parts_of_a_film_share_no_frame(tmp_path: Path) -> None:
    film_folder(tmp_path / "a", 30)
    early, late = (open_source(f"{tmp_path}::frames=4::every=2::stride=1::{part}") for part in ("last=0.5", "first=0.5"))
    assert max(early.read(index).meta["frame"] for index in range(len(early))) + 7 <= min(
        late.read(i).meta["frame"] for i in range(len(late))
    )


def test_clips_of_several_lengths_and_pictures_are_batched_apart(tmp_path: Path) -> None:
    film_folder(tmp_path / "films" / "run" / "a", 12)
    film_folder(tmp_path / "films" / "sit" / "b", 5)
    film_folder(tmp_path / "pictures", 3)
    reader = open_source(f"{tmp_path / 'films'}::frames=8|4::every=1::stills={tmp_path / 'pictures'}")
    clips = [reader.read(index) for index in range(len(reader))]
    assert [clip.streams["main"].shape[1] for clip in clips] == [2] * 3 + [4] * 4 + [8]
    assert reader.spec()["buckets"] == [3, 4, 1]
    assert len({clip.id for clip in clips}) == len(clips)
    assert [clip.label for clip in clips] == [None] * 3 + [0, 0, 0, 1, 0]
    assert (clips[1].streams["main"] == clips[1].streams["main"][:, :1]).all()  # nothing moves
    assert clips[7].streams["main"][0, :, 0, 0].tolist() == list(range(8))
    changed = open_source(f"{tmp_path / 'films'}::frames=8|4::every=1")
    assert changed.fingerprint() != reader.fingerprint()
    stream = GlobalStream(len(reader), 2, 0, reader.spec()["buckets"])
    for step in range(8):
        assert len({reader.read(index).streams["main"].shape for _, index in stream.batch(step)}) == 1


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    film_folder(tmp_path / "films" / "a")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: holds no picture"):
        open_source(f"{tmp_path / 'films'}::frames=2::every=1::stills={tmp_path / 'empty'}")


def test_size_brings_all_to_one_square_and_without_it_sizes_must_agree(tmp_path: Path) -> None:
    film_folder(tmp_path / "a", size=(32, 24))
    film_folder(tmp_path / "b", size=(64, 40))
    reader = open_source(f"{tmp_path}::frames=2::every=1::size=16::stride=20")
    assert {reader.read(index).streams["main"].shape for index in range(len(reader))} == {(3, 2, 16, 16)}
    with pytest.raises(DataError, match=r"b has frames 3 x 40 x 64 of uint8, a has 3 x 24 x 32 .* add ::size=SIDE"):
        open_source(f"{tmp_path}::frames=2::every=1::stride=20").read(1)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("none", "no such file or folder"),
        ("empty", "holds no film"),
        ("a::frames=40", "longest film has 12 frames, a clip of 40 frames every 4 needs 157"),
        ("a::frame=4", "options are frames, every"),
        ("a.txt", "can't tell what '.txt' is"),
        ("junk.mp4", "not a video that FFmpeg can read"),
        ("flat.npz", "expected films x"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path: Path, source: str, sentence: str) -> None:
    film_folder(tmp_path / "a")
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "junk.mp4").write_bytes(b"\0" * 500)
    np.savez(tmp_path / "flat.npz", x=np.zeros((3, 4, 5)))
    with pytest.raises(DataError, match=sentence):
        open_source(str(tmp_path / source))


def test_damaged_files_give_only_data_errors(tmp_path: Path) -> None:
    whole = film_file(tmp_path / "a.avi").read_bytes()
    rng = np.random.default_rng(0)
    for trial in range(60):
        broken = bytearray(whole if trial % 2 else whole[: int(rng.integers(1, len(whole)))])
        for place in rng.integers(0, len(broken), 20):
            broken[place] = int(rng.integers(256))
        (tmp_path / "b.avi").write_bytes(broken)
        with suppress(DataError):
            reader = open_source(f"{tmp_path / 'b.avi'}::frames=4::every=2")
            [reader.read(index) for index in range(len(reader))]


def test_one_window_and_one_mirror_for_all_frames() -> None:
    sample = MODALITY.synthetic(1, 0).read(0)
    still = np.repeat(sample.streams["main"][:, :1], 8, axis=1)
    view = ClipCropView(ClipCropSettings(flip=True))
    for key in range(8):
        rng = np.random.Generator(np.random.Philox(key=[0, key]))
        seen = view(type(sample)({"main": still}, id="still"), rng, 0.0).streams["main"]
        assert (seen == seen[:, :1]).all()


def test_tubelets_hold_their_own_pixels_only_and_know_their_place() -> None:
    torch.manual_seed(0)
    tokenizer = TubeletTokenizer(TubeletSettings(frames=2, patch=8), width=4, spec={"channels": 1})
    sample = MODALITY.synthetic(1, 0).read(0)
    layout = tokenizer.layout(sample, "main")
    assert layout is not None
    assert (layout.grid, layout.axes) == ((4, 4, 4), ("t", "y", "x"))
    clip = torch.from_numpy(sample.streams["main"]).float()[None].requires_grad_()
    raw = Raw(clip, None, *(torch.from_numpy(part)[None] for part in (layout.coords, layout.valid, layout.channel)))
    tokenizer(raw).x[0, 4 * 4 + 2 * 4 + 1].sum().backward()  # tubelet (1, 2, 1)
    touched = np.argwhere(clip.grad[0, 0].numpy() != 0)
    assert touched.min(0).tolist() == [2, 16, 8]
    assert touched.max(0).tolist() == [3, 23, 15]


def test_the_baseline_finds_the_axis_of_motion() -> None:
    reader = MODALITY.synthetic(400, 0)
    samples = [reader.read(index) for index in range(400)]
    y = np.array([sample.label for sample in samples])
    model = MotionHog("classification").fit(samples[:300], y[:300])
    assert (model.predict(samples[300:]) == y[300:]).mean() > 0.4  # chance: a quarter


def test_options_are_read_from_behind_the_path() -> None:
    path, options = parsed("films/::frames=8::every=2::size=64")
    assert (path, options.frames, options.every, options.size, options.span(8)) == ("films/", (8,), 2, 64, 15)
    assert parsed("films/::frames=16|8|16")[1].frames == (8, 16)
    with pytest.raises(DataError, match="frames"):
        parsed("films/::frames=8|many")
