"""Patches, crops, pictures: the facts of images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.linear_model import RidgeClassifier

from jepakit.data.collate import Prepared, collate
from jepakit.data.stream import keyed_rng
from jepakit.maskers.block import BlockMasker, BlockSettings
from jepakit.sdk import Context, DataError, IndexSet, MaskPlan, MaskRequest, Query, Sample
from jepakit_modalities.image.modality import ImageModality
from jepakit_modalities.image.tokenizer import PatchSettings, PatchTokenizer
from jepakit_modalities.image.views import CropSettings, CropView, resized


def sample(shape: tuple[int, ...], seed: int = 0, dtype: type = np.uint8) -> Sample:
    values = np.random.default_rng(seed).integers(0, 256, shape).astype(dtype)
    return Sample({"main": values}, id=f"{seed}")


def tokenizer(channels: int = 3, patch: int = 4) -> PatchTokenizer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return PatchTokenizer(PatchSettings(patch=patch), width=8, spec={"channels": channels})


def batch_of(samples: list[Sample], with_: PatchTokenizer):
    parts = [Prepared(each, {"main": with_.layout(each, "main")}) for each in samples]
    return collate(parts, "pad", keyed_rng("test")).streams["main"]


def test_tokens_are_a_strided_convolution() -> None:
    made = tokenizer()
    raw = batch_of([sample((3, 8, 12), seed) for seed in range(2)], made)
    made.fit([sample((3, 8, 12), seed) for seed in range(2)])
    weight = made.proj.weight.reshape(8, 3, 4, 4)
    pixels = (raw.values.float() / 255 - made.mean[:, None, None]) / made.std[:, None, None]
    expected = torch.nn.functional.conv2d(pixels, weight, made.proj.bias, stride=4).flatten(2).transpose(1, 2)
    tokens = made(raw)
    torch.testing.assert_close(tokens.x, expected, rtol=1e-5, atol=1e-5)
    assert tokens.grid == (2, 3)
    assert tokens.coords[0].tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]


def test_fitted_scalers_standardise() -> None:
    made, samples = tokenizer(), [sample((3, 8, 8), seed) for seed in range(5)]
    made.fit(samples)
    pixels = np.stack([each.streams["main"] for each in samples]) / 255
    np.testing.assert_allclose(made.mean, pixels.mean(axis=(0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(made.std, pixels.std(axis=(0, 2, 3)), rtol=1e-5)


def test_uint16_and_uint8_of_the_same_picture_give_the_same_tokens() -> None:
    made, small = tokenizer(), sample((3, 8, 8))
    wide = Sample({"main": small.streams["main"].astype(np.uint16) * 257}, id="wide")
    torch.testing.assert_close(made(batch_of([small], made)).x, made(batch_of([wide], made)).x)


def test_images_of_different_sizes_share_a_batch() -> None:
    """Each gets the tokens it has alone; the rest is padding."""
    made, samples = tokenizer(), [sample((3, 8, 8), 0), sample((3, 12, 4), 1)]
    together = made(batch_of(samples, made))
    for row, each in enumerate(samples):
        alone = made(batch_of([each], made))
        count = alone.x.shape[1]
        torch.testing.assert_close(together.x[row, :count], alone.x[0])
        assert together.valid[row].sum() == count
        assert torch.equal(together.coords[row, :count], alone.coords[0])


def test_tokens_survive_bfloat16_weights() -> None:
    """The pixels are standardised in float32 and rounded once, so that tokens differ by rounding only."""
    made = tokenizer()
    raw = batch_of([sample((3, 8, 8))], made)
    exact = made(raw).x
    rough = made.bfloat16()(raw).x
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.float(), exact, rtol=0.02, atol=0.02)


def test_an_image_smaller_than_a_patch_is_refused() -> None:
    with pytest.raises(DataError, match="3 x 9 pixels hold no patch of 4"):
        tokenizer().layout(sample((3, 3, 9)), "main")


@pytest.mark.parametrize(("channels", "dtype"), [(1, np.uint8), (3, np.uint8), (5, np.float32), (1, np.uint16)])
def test_crops_are_keyed_and_keep_the_format(channels: int, dtype: type) -> None:
    view, image = CropView(CropSettings(flip=True)), sample((channels, 16, 16), dtype=dtype)
    first, again, other = (view(image, keyed_rng(key), 0.0).streams["main"] for key in (0, 0, 1))
    assert first.shape == (channels, 16, 16)
    assert first.dtype == dtype
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_whole_window_is_the_identity() -> None:
    image = sample((3, 9, 7)).streams["main"]
    np.testing.assert_array_equal(resized(image, (0, 0, 9, 7), (9, 7)), image)


def test_windows_lie_inside_and_have_the_asked_area() -> None:
    view = CropView(CropSettings(scale=(0.3, 0.6)))
    for draw in range(200):
        top, left, height, width = view.window(40, 30, keyed_rng(draw))
        assert 0 <= top <= 40 - height
        assert 0 <= left <= 30 - width
        assert 0.25 < height * width / 1200 < 0.66


def test_mask_pictures_dim_what_is_hidden() -> None:
    made, image = tokenizer(), Sample({"main": np.full((3, 32, 32), 200, np.uint8)}, id="a")
    layout = made.layout(image, "main")
    assert layout is not None
    plan = BlockMasker(BlockSettings())({"main": layout}, MaskRequest(keyed_rng(0), keyed_rng(1)))
    picture = ImageModality().mask_picture(image, layout, plan)
    assert picture is not None
    assert picture.shape == (128, 128, 3)
    centre = picture[8::16, 8::16, 0].ravel()
    seen = np.zeros(64, dtype=bool)
    seen[plan.contexts[0].positions.idx] = True
    assert (centre[seen] == 200).all()
    assert (centre[~seen] == 50).all()


@pytest.mark.parametrize("shape", [(1, 15, 64), (1, 64, 15), (1, 33, 47)])
def test_mask_pictures_of_images_that_patches_do_not_fill(shape: tuple[int, ...]) -> None:
    made, image = tokenizer(channels=1, patch=8), sample(shape)
    layout = made.layout(image, "main")
    assert layout is not None
    plan = MaskPlan((Context(IndexSet(np.array([0]))),), (Query(IndexSet(np.arange(1, len(layout)))),))
    picture = ImageModality().mask_picture(image, layout, plan)
    assert picture is not None
    assert picture.dtype == np.uint8


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_raw_features_are_pixels_between_zero_and_one(dtype: type, top: int) -> None:
    image = np.zeros((1, 64, 64), dtype=dtype)
    image[0, :32] = top
    found = ImageModality().raw_features(Sample({"main": image}, id="a"))
    assert (found.dtype, found.shape) == (np.float32, (1024,))
    assert (found.min(), found.max()) == (0, 1)
    assert found.mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("bad", [{"scale": (0.0, 1.0)}, {"scale": (0.5, 1.5)}, {"scale": (1.0, 0.3)}, {"ratio": (-1.0, 1.0)}])
def test_crops_that_make_no_sense_are_refused_before_a_run(bad: dict[str, tuple[float, float]]) -> None:
    with pytest.raises(ValidationError, match=r"is no range|reaches above 1"):
        CropSettings.model_validate(bad)


def test_synthetic_classes_hide_from_pixels_but_are_there() -> None:
    """A linear probe reads them from the spectrum, where phase does not matter, and hardly from the pixels."""
    modality = ImageModality()
    parts = [[modality.synthetic(400, 0, split).read(index) for index in range(400)] for split in ("train", "test")]
    pixels = [np.stack([modality.raw_features(each) for each in part]) for part in parts]
    spectra = [np.log1p(np.abs(np.fft.rfft2(part.reshape(-1, 32, 32)))).reshape(len(part), -1) for part in pixels]
    train, test = ([each.label for each in part] for part in parts)
    scores = [RidgeClassifier(1.0).fit(before, train).score(after, test) for before, after in (pixels, spectra)]
    assert scores[0] < 0.25, "chance is .125"
    assert scores[1] > 0.9


def test_synthetic_images_are_seeded() -> None:
    modality = ImageModality()
    first, again = modality.synthetic(20, seed=1), modality.synthetic(20, seed=1)
    np.testing.assert_array_equal(first.read(3).streams["main"], again.read(3).streams["main"])
    assert not np.array_equal(first.read(3).streams["main"], modality.synthetic(20, seed=1, split="test").read(3).streams["main"])
    assert {first.read(index).label for index in range(16)} == set(range(8))
