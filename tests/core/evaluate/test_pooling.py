"""Poolings against plain numpy, padding that must not matter, and what is left out when it can't be had."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jepakit.contracts import Features
from jepakit.evaluate.pooling import POOLINGS, pool


def tokens(batch: int, count: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, count, width, generator=torch.Generator().manual_seed(seed))


def test_moments_equal_numpy() -> None:
    x = tokens(3, 5, 4)
    pooled, plain = pool(Features(last=x)), x.double().numpy()
    mean, std, largest = plain.mean(1), plain.std(1), plain.max(1)
    np.testing.assert_allclose(pooled["mean"], mean, atol=1e-6)
    np.testing.assert_allclose(pooled["mean+std"], np.concatenate((mean, std), 1), atol=1e-6)
    np.testing.assert_allclose(pooled["mean+max"], np.concatenate((mean, largest), 1), atol=1e-6)
    np.testing.assert_allclose(pooled["flat"], plain.reshape(3, 20), atol=2e-3)
    assert list(pooled) == ["mean", "mean+std", "mean+max", "flat"]


@given(st.integers(1, 5), st.sampled_from([0.0, 1e9, float("nan"), float("-inf")]))
@settings(max_examples=20, deadline=None)
def test_padding_changes_nothing(padding: int, junk: float) -> None:
    x, level = tokens(2, 4, 3), tokens(2, 4, 3, seed=1)
    fill = torch.full((2, padding, 3), junk)
    valid = (torch.arange(4 + padding) < 4).expand(2, -1)
    clean = pool(Features(last=x, levels=(level,)))
    padded = pool(Features(last=torch.cat((x, fill), 1), levels=(torch.cat((level, fill), 1),), valid=valid))
    assert set(clean) - set(padded) == {"flat"}
    for kind, z in padded.items():
        torch.testing.assert_close(z, clean[kind])


def test_levels_are_normalised_and_stand_before_the_last() -> None:
    x, level = tokens(2, 4, 6), tokens(2, 4, 6, seed=1)
    z = pool(Features(last=x, levels=(1000 * level + 7,)), ("levels:mean+std",))["levels:mean+std"]
    torch.testing.assert_close(z[:, 12:], pool(Features(last=x), ("mean+std",))["mean+std"])
    normalised = (level - level.mean(-1, keepdim=True)) / level.std(-1, correction=0, keepdim=True)
    torch.testing.assert_close(z[:, :6], normalised.mean(1), atol=1e-3, rtol=1e-3)


def test_flat_of_levels_is_every_token_of_every_level() -> None:
    x, level = tokens(2, 4, 6), tokens(2, 4, 6, seed=1)
    z = pool(Features(last=x, levels=(3 * level,)), ("levels:flat",))["levels:flat"]
    assert z.dtype == torch.float16
    normalised = torch.nn.functional.layer_norm(level, (6,))
    torch.testing.assert_close(z.float(), torch.cat((normalised.flatten(1), x.flatten(1)), 1), atol=2e-3, rtol=2e-3)
    assert not pool(Features(last=x), ("levels:flat",))
    assert not pool(Features(last=tokens(1, 100, 100), levels=(tokens(1, 100, 100),)), ("levels:flat",))  # 20,000 values


def test_pyramid_is_moments_beside_the_means_of_cells() -> None:
    x = tokens(2, 16, 3)
    coords = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0)).expand(2, 16, 2)
    z = pool(Features(last=x, coords=coords), ("pyramid:2",))["pyramid:2"]
    cells = x.numpy().reshape(2, 2, 2, 2, 2, 3).mean((2, 4)).reshape(2, 12)
    np.testing.assert_allclose(z[:, 6:], cells, atol=1e-6)
    torch.testing.assert_close(z[:, :6], pool(Features(last=x), ("mean+std",))["mean+std"])


def test_empty_cells_hold_the_mean_and_padding_is_in_none() -> None:
    x = torch.cat((tokens(1, 3, 2), torch.full((1, 1, 2), torch.nan)), 1)
    coords = torch.tensor([[[0.0, 0.0], [1.0, 1.0], [1.0, 1.0], [9.0, float("nan")]]])
    valid = torch.tensor([[True, True, True, False]])
    z = pool(Features(last=x, coords=coords, valid=valid), ("pyramid:2",))["pyramid:2"][0, 4:].reshape(4, 2)
    mean = x[0, :3].mean(0)
    torch.testing.assert_close(z, torch.stack((x[0, 0], mean, mean, x[0, 1:3].mean(0))))


def test_too_many_cells_are_no_pyramid() -> None:
    seven_axes = Features(last=tokens(1, 2, 3), coords=torch.zeros(1, 2, 7))
    assert pool(seven_axes, ("pyramid:2", "grid:2")).keys() == {"grid:2"}


def test_prefix_is_the_mean_of_prefix_tokens() -> None:
    prefix = tokens(2, 3, 4)
    torch.testing.assert_close(pool(Features(last=tokens(2, 5, 4), prefix=prefix), ("prefix",))["prefix"], prefix.mean(1))


def test_what_cannot_be_had_is_left_out() -> None:
    assert list(pool(Features(last=tokens(1, 200, 100)))) == ["mean", "mean+std", "mean+max"]  # flat would hold 20,000 values
    assert pool(Features(last=tokens(1, 2, 3)), ()) == {}
    with pytest.raises(ValueError, match="median"):
        pool(Features(last=tokens(1, 2, 3)), ("median",))


def test_half_precision_is_pooled_in_float32() -> None:
    pooled = pool(Features(last=tokens(2, 4, 3).bfloat16()), POOLINGS)
    assert pooled["mean"].dtype == torch.float32
    assert pooled["flat"].dtype == torch.float16


def test_all_adds_the_tokens_that_entered_as_they_are() -> None:
    x, level, entered = tokens(2, 4, 6), tokens(2, 4, 6, seed=1), 5 * tokens(2, 4, 6, seed=2) + 1
    features = Features(last=x, levels=(level,), tokens=entered)
    found = pool(features, ("all:mean+std", "levels:mean+std"))
    torch.testing.assert_close(found["all:mean+std"][:, 12:], found["levels:mean+std"])
    torch.testing.assert_close(found["all:mean+std"][:, :6], entered.mean(1))
    assert pool(features, ("all:flat",))["all:flat"].shape == (2, 72)
    assert not pool(Features(last=x, levels=(level,)), ("all:mean+std",))
