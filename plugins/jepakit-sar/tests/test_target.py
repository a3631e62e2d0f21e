"""Maps made once and cropped are the maps of every step; rows lie as tokens do."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jepakit_sar.gradient import gradient_maps
from jepakit_sar.target import GradientSettings, gradient_target, standardised
from jepakit_sar.tokenizer import SarTokenizer, SarTokenizerSettings
from jepakit_sar.views import SarCrop, SarCropSettings, reached

from jepakit.sdk import ASIDE, ConfigError, Raw, Sample

RADII = (1, 2)


def chips(height: int = 16, width: int = 16, channels: int = 1) -> Sample:
    rng = np.random.Generator(np.random.Philox(key=[height, width]))
    return Sample({"main": rng.integers(0, 256, size=(channels, height, width), dtype=np.uint8)}, id="chip")


def backbone(channels: int = 1) -> SimpleNamespace:
    made = SarTokenizer(SarTokenizerSettings(patch=4), width=8, spec={"channels": channels, "dtype": "uint8"})
    return SimpleNamespace(tokenizer=lambda stream: made)


def rng() -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=0))


def test_maps_are_cropped_and_mirrored_with_the_chip() -> None:
    sample = chips(20, 24)
    target = gradient_target(GradientSettings(radii=RADII), backbone=backbone(), transform=None)
    whole = Sample({**sample.streams, **target.asides(sample)}, id="chip")
    view = SarCrop(SarCropSettings(size=12, flip=True))
    for draw in range(6):
        seen = view(whole, np.random.Generator(np.random.Philox(key=draw)), 0.0)
        places = [
            (top, left, step)
            for top in range(9)
            for left in range(13)
            for step in (1, -1)
            if np.array_equal(seen.streams["main"], sample.streams["main"][:, top : top + 12, left : left + 12][..., ::step])
        ]
        (top, left, step), *_ = places
        wanted = whole.streams[ASIDE + "main"][:, top : top + 12, left : left + 12][..., ::step]
        np.testing.assert_array_equal(seen.streams[ASIDE + "main"], wanted)


@given(size=st.integers(5, 20), over=st.integers(0, 4), start=st.integers(0, 8))
def test_windows_over_the_edge_are_mirrored_there(size: int, over: int, start: int) -> None:
    start = min(start, 2 * over)
    wanted = np.pad(np.arange(size), over, mode="reflect")[start : start + size]
    np.testing.assert_array_equal(reached(size, start, size, over), wanted)


def test_once_and_every_step_agree_without_a_crop() -> None:
    sample = chips()
    found = []
    for once in (True, False):
        target = gradient_target(GradientSettings(radii=RADII, once=once), backbone=backbone(), transform=None)
        arrays = {**sample.streams, **target.asides(sample)}
        streams = {name: Raw(torch.from_numpy(array[None])) for name, array in arrays.items()}
        found.append(target(streams, {}, torch.nn.Identity(), ["main"])["main"])
        assert target.has_asides is once
    torch.testing.assert_close(found[0], found[1])


def test_a_row_holds_the_pixels_of_its_token() -> None:
    sample = chips(8, 12, channels=2)
    settings = GradientSettings(radii=RADII, standardise=False, once=False)
    target = gradient_target(settings, backbone=backbone(2), transform=None)
    found = target({"main": Raw(torch.from_numpy(sample.streams["main"][None]))}, {}, torch.nn.Identity(), ["main"])["main"]
    maps = gradient_maps(sample.streams["main"], RADII, 0.01).astype(np.float32)
    assert found.shape == (1, 6, target.width)
    np.testing.assert_array_equal(found[0, 4].numpy(), maps[:, 4:8, 4:8].ravel())  # second row, second column of patches


@pytest.mark.parametrize("once", [True, False])
def test_chips_of_different_sizes_keep_their_own_rows(once: bool) -> None:
    settings = GradientSettings(radii=RADII, standardise=False, once=once)
    target = gradient_target(settings, backbone=backbone(), transform=None)
    small, large = chips(8, 8), chips(12, 16)
    arrays = [target.asides(part)[ASIDE + "main"] if once else part.streams["main"] for part in (small, large)]
    values = np.zeros((2, arrays[0].shape[0], 12, 16), arrays[0].dtype)
    for row, array in enumerate(arrays):
        values[row, :, : array.shape[1], : array.shape[2]] = array
    extent = torch.tensor([array.shape for array in arrays])
    key = ASIDE + "main" if once else "main"
    found = target({key: Raw(torch.from_numpy(values), extent)}, {}, torch.nn.Identity(), ["main"])["main"]
    alone = target({key: Raw(torch.from_numpy(arrays[0][None]))}, {}, torch.nn.Identity(), ["main"])["main"]
    torch.testing.assert_close(found[0, :4], alone[0])


def test_standardised_maps_count_alike() -> None:
    maps = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 50.0])[:, None, None] + 3
    found = standardised(maps)
    torch.testing.assert_close(found.mean(dim=(0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std(dim=(0, 2, 3), correction=0), torch.ones(2), atol=1e-5, rtol=0)


def test_a_tokenizer_without_patches_is_refused() -> None:
    other = SimpleNamespace(tokenizer=lambda stream: torch.nn.Identity())
    with pytest.raises(ConfigError, match="sar-patch"):
        gradient_target(GradientSettings(), backbone=other, transform=None)


def test_gain_leaves_the_target_alone_and_stays_in_format() -> None:
    sample = Sample({"main": np.full((1, 8, 8), 200, np.uint8), ASIDE + "main": np.ones((2, 8, 8), np.float16)}, id="chip")
    seen = SarCrop(SarCropSettings(gain=(2.0, 2.0)))(sample, rng(), 0.0)
    assert seen.streams["main"].dtype == np.uint8
    assert (seen.streams["main"] == 255).all()
    np.testing.assert_array_equal(seen.streams[ASIDE + "main"], sample.streams[ASIDE + "main"])
