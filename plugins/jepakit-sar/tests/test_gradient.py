"""Gradient ratios against the formula, written out pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jepakit_sar.gradient import gradient_maps
from jepakit_sar.quantity import full_scale


def direct(image: np.ndarray, radius: int, offset: float) -> np.ndarray:
    """G of one channel in [0, 1] by its definition: reflected edges, halves with the centre line, NaN left out of every mean."""
    wide = np.pad(image.astype(np.float64), radius, mode="reflect")
    out = np.zeros(image.shape)
    for row, column in np.ndindex(*image.shape):
        box = wide[row : row + 2 * radius + 1, column : column + 2 * radius + 1]
        halves = (box[:, : radius + 1], box[:, radius:]), (box[: radius + 1], box[radius:])
        logs = []
        for one, other in halves:
            known = np.isfinite(one).any() and np.isfinite(other).any()
            logs.append(np.log((np.nanmean(one) + offset) / (np.nanmean(other) + offset)) if known else 0.0)
        out[row, column] = np.hypot(*logs)
    return out


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(6, 14),
    width=st.integers(6, 14),
    radius=st.integers(1, 5),
    offset=st.sampled_from([0.01, 0.1]),
)
def test_running_means_give_the_formula(seed: int, height: int, width: int, radius: int, offset: float) -> None:
    pixels = np.random.Generator(np.random.Philox(key=seed)).integers(0, 256, size=(1, height, width), dtype=np.uint8)
    found = gradient_maps(pixels, [radius], offset)[0].astype(np.float64)
    np.testing.assert_allclose(found, direct(pixels[0] / 255, radius, offset), atol=4e-3)


def test_pixels_without_data_are_left_out_of_the_means() -> None:
    rng = np.random.Generator(np.random.Philox(key=1))
    image = rng.uniform(0.1, 1, size=(1, 16, 16)).astype(np.float32)
    image[0, :, :6] = np.nan
    image[0, 9, 11] = np.nan
    found = gradient_maps(image, [2], 0.01)[0]
    wanted = direct(image[0] / full_scale(image), 2, 0.01)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[:, 9:], wanted[:, 9:], atol=4e-3)  # columns whose halves all have data


@given(factor=st.floats(0.01, 100))
def test_a_factor_on_the_amplitude_changes_nothing(factor: float) -> None:
    """Speckle multiplies; the ratio does not see a factor, and full scale moves with it where the format has none."""
    image = np.random.Generator(np.random.Philox(key=2)).gamma(4, size=(1, 12, 12)).astype(np.float32)
    one, other = (gradient_maps(image * np.float32(scale), [2, 3], 0.01).astype(np.float32) for scale in (1, factor))
    np.testing.assert_allclose(one, other, atol=5e-3)


def test_flipping_the_image_flips_the_map() -> None:
    """The view mirrors maps with the image, so a map must be the map of the mirrored image."""
    image = np.random.Generator(np.random.Philox(key=3)).integers(0, 256, size=(1, 20, 20), dtype=np.uint8)
    np.testing.assert_allclose(
        gradient_maps(image[..., ::-1], [3], 0.01)[..., ::-1].astype(np.float32),
        gradient_maps(image, [3], 0.01).astype(np.float32),
        atol=2e-3,
    )


def test_channels_keep_their_radii_together() -> None:
    image = np.random.Generator(np.random.Philox(key=4)).integers(0, 256, size=(2, 12, 12), dtype=np.uint8)
    found = gradient_maps(image, [1, 2], 0.01)
    np.testing.assert_array_equal(found[2:], gradient_maps(image[1:], [1, 2], 0.01))
    assert found.shape == (4, 12, 12)
    assert found.dtype == np.float16


def test_a_radius_of_zero_spans_no_box() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        gradient_maps(np.zeros((1, 8, 8), np.uint8), [0], 0.01)
