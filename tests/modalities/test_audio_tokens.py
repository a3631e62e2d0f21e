"""Log-mel tokens, the view, the baselines and the pictures: what overlaps, what is missing, what a wrong rate says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from jepakit.sdk import ConfigError, Context, DataError, IndexSet, MaskPlan, Query, Raw, Sample
from jepakit.testing.reader import check_modality
from jepakit.testing.suite import parametrize_with_checks
from jepakit.testing.tokenizer import batch_of, check_tokenizer

if find_spec("torchaudio") is None:  # importing it may fail where it is installed, which is what torchaudio_light is for
    pytest.skip("needs torchaudio", allow_module_level=True)
from jepakit_modalities.audio.classical import in_parts, statistics
from jepakit_modalities.audio.modality import AudioModality
from jepakit_modalities.audio.spectrum import FLOOR, log_mel, mel, mel_filters, spectrogram
from jepakit_modalities.audio.tokenizer import LogMelSettings, LogMelTokenizer
from jepakit_modalities.audio.views import ClipView, ClipViewSettings, faster

SPEC = {"channels": 1, "rate_hz": 8000}
SAMPLES = [AudioModality().synthetic(8, 0).read(index) for index in range(8)]


def made(**options: object) -> LogMelTokenizer:
    torch.manual_seed(0)
    return LogMelTokenizer(LogMelSettings(**options), width=16, spec=SPEC)


def clip(sound: np.ndarray, rate: int = 8000) -> Sample:
    return Sample({"main": np.atleast_2d(sound).astype(np.float32)}, id="clip", meta={"rate_hz": rate, "origin": "clip.wav"})


STRIPS, PATCHES, CENTRED = made(), made(height=8), made(height=20, centre=True)


@parametrize_with_checks(check_tokenizer(STRIPS, SAMPLES))  # type: ignore[untyped-decorator]
def test_strips_pass_the_kit(check: Callable[[], None]) -> None:
    check()


@parametrize_with_checks(check_tokenizer(PATCHES, SAMPLES))  # type: ignore[untyped-decorator]
def test_patches_pass_the_kit(check: Callable[[], None]) -> None:
    check()


@parametrize_with_checks(check_tokenizer(CENTRED, SAMPLES))  # type: ignore[untyped-decorator]
def test_centred_patches_pass_the_kit(check: Callable[[], None]) -> None:
    check()


def test_centred_tokens_forget_loudness_and_padding() -> None:
    tokenizer, rng = made(centre=True, floor=1e-14), np.random.default_rng(0)
    sound = rng.normal(scale=0.1, size=8000).astype(np.float32)
    other = rng.normal(scale=0.1, size=12000).astype(np.float32)
    quiet = tokenizer(batch_of(tokenizer, [clip(sound), clip(0.1 * sound), clip(other)])).x
    alone = tokenizer(batch_of(tokenizer, [clip(sound)])).x[0]
    for row in (0, 1):  # longer than alone: what is padded to the length of the other clip is not valid
        torch.testing.assert_close(quiet[row, : len(alone)], alone, atol=2e-4, rtol=1e-3)


@parametrize_with_checks(check_modality(AudioModality()))  # type: ignore[untyped-decorator]
def test_the_modality_passes_the_kit(check: Callable[[], None]) -> None:
    check()


def test_no_sample_of_the_waveform_is_in_tokens_of_two_times() -> None:
    tokenizer = made()
    raw = batch_of(tokenizer, [SAMPLES[0]])
    values = raw.values.clone().requires_grad_(True)
    x = tokenizer(replace(raw, values=values)).x[0]
    (gradient,) = torch.autograd.grad(x[5].sum(), values)
    reached = torch.nonzero(gradient[0, 0]).flatten()
    assert reached.min() >= 5 * 320
    assert reached.max() < 6 * 320
    assert len(reached) > 300


def test_missing_samples_make_their_tokens_invalid_and_touch_no_other() -> None:
    tokenizer, sound = made(height=8), SAMPLES[0].streams["main"].copy()
    sound[0, 700] = np.nan
    layout = tokenizer.layout(clip(sound), "main")
    assert layout is not None
    assert np.flatnonzero(~layout.valid).tolist() == [10, 11, 12, 13, 14]
    holed, whole = (tokenizer(batch_of(tokenizer, [clip(part)])).x[0] for part in (sound, SAMPLES[0].streams["main"]))
    torch.testing.assert_close(holed[layout.valid], whole[layout.valid])


def test_a_tone_lights_its_band() -> None:
    filters = mel_filters(8000, 200, 40, 50.0, 4000.0)
    torch.testing.assert_close(filters.sum(0), torch.ones(40))
    found = []
    for hz in (200, 1000, 3000):
        tone = torch.sin(2 * torch.pi * hz * torch.arange(200) / 8000)
        found.append(int(log_mel(tone, filters, FLOOR).argmax()))
    edges = np.linspace(mel(50.0), mel(4000.0), 42)
    assert found == [int(np.abs(edges[1:-1] - mel(hz)).argmin()) for hz in (200.0, 1000.0, 3000.0)]


def test_white_noise_has_the_power_of_its_variance() -> None:
    noise = torch.from_numpy(np.random.default_rng(0).normal(scale=0.1, size=(4000, 200)).astype(np.float32))
    power = log_mel(noise, mel_filters(8000, 200, 40, 50.0, 4000.0), FLOOR).exp().mean(0)
    torch.testing.assert_close(power, torch.full_like(power, 0.01), rtol=0.1, atol=0)


def test_another_rate_is_an_error_naming_the_file_and_both_rates() -> None:
    with pytest.raises(DataError, match=r"clip\.wav is sampled at 16000 Hz, the encoder is for 8000 Hz"):
        made().layout(clip(np.ones(8000), 16000), "main")
    with pytest.raises(ConfigError, match="16000 Hz, the data has 8000 Hz"):
        made(rate_hz=16000)


@pytest.mark.parametrize(("sound", "said"), [(np.ones(100), "no complete token"), (np.ones((2, 800)), "2 channels")])
def test_clips_that_hold_no_token_are_named(sound: np.ndarray, said: str) -> None:
    with pytest.raises(DataError, match=f"clip.*{said}"):
        made().layout(clip(sound), "main")


def test_bands_that_do_not_fit_the_rate_are_an_error() -> None:
    with pytest.raises(DataError, match="4000 Hz, half of the rate"):
        made(high_hz=5000.0)


def test_fit_standardises_every_band() -> None:
    tokenizer = made()
    tokenizer.fit(SAMPLES)
    values = torch.cat([tokenizer.energies(torch.from_numpy(sample.streams["main"])[None]).flatten(0, 3) for sample in SAMPLES])
    scaled = (values - tokenizer.mean) / tokenizer.std
    torch.testing.assert_close(scaled.mean(0), torch.zeros(40), atol=1e-3, rtol=0)
    torch.testing.assert_close(scaled.std(0), torch.ones(40), atol=1e-2, rtol=0)


def test_a_spectrogram_is_input_too() -> None:
    tokenizer = made()
    raw = batch_of(tokenizer, SAMPLES[:1])
    continuous: Raw = tokenizer.continuous(raw)
    torch.testing.assert_close(tokenizer(raw).x, tokenizer(continuous).x)


def rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, 0]))


def test_the_view_crops_and_cuts_all_streams_alike() -> None:
    sound = np.arange(8000, dtype=np.float32)
    sample = Sample({"main": sound[None], "other": -sound[None]}, id="a", meta={"rate_hz": 8000})
    seen = ClipView(ClipViewSettings(crop_s=0.5, speed=(1.0, 1.0), gain_db=0.0))(sample, rng(1), 0.0)
    assert seen.streams["main"].shape == (1, 4000)
    np.testing.assert_allclose(seen.streams["main"], -seen.streams["other"])
    assert np.diff(seen.streams["main"][0]).tolist() == [1.0] * 3999


def test_speed_changes_length_and_pitch() -> None:
    tone = np.sin(2 * np.pi * 200 * np.arange(8000) / 8000).astype(np.float32)[None]
    quick = faster(tone, 1.25)
    assert quick.shape == (1, 6400)
    np.testing.assert_allclose(quick[0], np.sin(2 * np.pi * 250 * np.arange(6400) / 8000), atol=5e-3)


def test_equal_parts_of_short_and_long_clips() -> None:
    assert in_parts(np.arange(8.0)[None], 4).tolist() == [[0.5, 2.5, 4.5, 6.5]]
    assert in_parts(np.ones((2, 1)), 8).tolist() == [[1.0] * 8] * 2


def test_the_baseline_tells_made_up_classes_apart() -> None:
    reader, judged = AudioModality().synthetic(160, 0), AudioModality().synthetic(80, 0, "test")
    samples, y = [reader.read(index) for index in range(160)], np.arange(160) % 4
    named = AudioModality().classical("classification")
    assert named is not None
    said = named[1].fit(samples, y).predict([judged.read(index) for index in range(80)])
    assert (said == np.arange(80) % 4).mean() > 0.45  # chance: a quarter
    assert AudioModality().classical("dense") is None
    assert statistics(samples[0]).shape == (281,)


def test_pictures_have_one_size_and_masks_show() -> None:
    modality, tokenizer = AudioModality(), made(height=8)
    pictures = [modality.picture(sample) for sample in SAMPLES]
    assert {picture.shape for picture in pictures} == {(128, 192, 3)}
    layout = tokenizer.layout(SAMPLES[0], "main")
    assert layout is not None
    half = len(layout) // 10 * 5
    plan = MaskPlan((Context(IndexSet(np.arange(half))),), (Query(IndexSet(np.arange(half, len(layout)))),))
    masked = modality.mask_picture(SAMPLES[0], layout, plan)
    assert masked is not None
    np.testing.assert_array_equal(masked[:, :80], pictures[0][:, :80])
    assert (masked[:, 110:] != pictures[0][:, 110:]).any()


def test_a_clip_shorter_than_a_frame_has_one() -> None:
    assert spectrogram(np.ones((1, 50), np.float32), 8000, 40).shape == (40, 1)


def test_torchaudio_works_without_its_compiled_part() -> None:
    """In a process of its own, where loading the compiled part fails as it does without CUDA libraries."""
    code = (
        "import torch\n"
        "def refuse(*a, **k): raise OSError('libcudart.so: cannot open shared object file')\n"
        "torch.ops.load_library = refuse\n"
        "from jepakit_modalities.audio.torchaudio_light import functional\n"
        "print(functional().melscale_fbanks(129, 50.0, 4000.0, 40, 8000).shape)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert "[129, 40]" in done.stdout, done.stderr
