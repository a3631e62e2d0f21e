"""Patches and channel statistics that tokenizers share: samples of different sizes, missing values, what does not fill a patch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jepakit.sdk import channel_moments, grid_layout, patch_counts, patchify

SIZES = st.lists(st.tuples(st.integers(4, 9), st.integers(6, 11)), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(sizes=SIZES)
def test_padded_samples_are_cut_as_if_each_came_alone(sizes: list[tuple[int, int]]) -> None:
    rng, patch = np.random.default_rng(0), (2, 3)
    samples = [torch.from_numpy(rng.normal(size=(2, *size))) for size in sizes]
    batch = torch.full((len(samples), 2, 9, 11), 7.0, dtype=torch.float64)
    for row, sample in zip(batch, samples):
        row[:, : sample.shape[1], : sample.shape[2]] = sample
    found = patchify(batch, patch, torch.tensor([sample.shape for sample in samples]))
    for row, sample in zip(found, samples):
        alone = patchify(sample[None], patch)[0]
        assert (
            len(alone)
            == np.prod(patch_counts(sample.shape, patch))
            == len(grid_layout(patch_counts(sample.shape, patch), ("y", "x")).coords)
        )
        assert torch.equal(row[: len(alone)], alone)
        assert not row[len(alone) :].any()


def test_a_patch_holds_its_channels_one_after_another_in_raster_order() -> None:
    values = torch.arange(2 * 4 * 5).reshape(1, 2, 4, 5)
    found = patchify(values, (2, 2))
    assert found.shape == (1, 4, 8)
    assert found[0, 1].tolist() == [2, 3, 7, 8, 22, 23, 27, 28]


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.int16])
def test_channel_moments_are_those_of_all_finite_values_together(dtype: type) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 200, size=(3, *size)).astype(dtype) for size in ((4, 5), (2, 7), (1, 1))]
    if dtype is np.float32:
        arrays[0][1, 2, 3], arrays[1][0] = np.inf, np.nan
    joined = np.concatenate([array.reshape(3, -1).astype(np.float64) for array in arrays], axis=1)
    joined[~np.isfinite(joined)] = np.nan
    mean, spread = channel_moments(iter(arrays), 3)
    np.testing.assert_allclose(mean, np.nanmean(joined, axis=1))
    np.testing.assert_allclose(spread, np.nanstd(joined, axis=1), atol=1e-9)


def test_a_channel_without_values_has_no_mean_and_no_spread() -> None:
    mean, spread = channel_moments([np.full((2, 3), np.nan), np.array([[np.nan], [2.0]])], 2)
    assert mean.tolist() == [0.0, 2.0]
    assert spread.tolist() == [0.0, 0.0]
