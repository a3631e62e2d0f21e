"""Each measure against a case whose value is known in closed form."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jepakit.errors import ContractError
from jepakit.measures import (
    alignment,
    alpha_req,
    content_std,
    gaussianity,
    lidar,
    mean_cosine,
    per_dim_std,
    position_ratio,
    rankme,
    uniformity,
)


def gaussian(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def orthonormal(n: int, width: int) -> torch.Tensor:
    return torch.linalg.qr(gaussian(n, width).double())[0]


@given(st.integers(1, 12))
@settings(max_examples=12, deadline=None)
def test_rank_counts_equal_directions(k: int) -> None:
    assert rankme(torch.eye(12)[:k].repeat(3, 1), centred=False) == pytest.approx(k)


def test_rank_is_the_entropy_of_singular_values_not_of_eigenvalues() -> None:
    sigma = torch.tensor([3.0, 1.0], dtype=torch.float64)
    z = orthonormal(50, 2) * sigma
    expected = (0.75**-0.75) * (0.25**-0.25)
    assert rankme(z, centred=False) == pytest.approx(expected, rel=1e-6)


def test_centred_rank_ignores_an_offset_and_the_uncentred_one_does_not() -> None:
    z = gaussian(512, 32)
    assert rankme(z + 50, centred=True) == pytest.approx(rankme(z, centred=True), rel=1e-4)
    assert rankme(z + 50, centred=False) < 10 < rankme(z, centred=False)


def test_centred_rank_cannot_see_a_constant_with_noise_and_the_uncentred_one_can() -> None:
    z = torch.ones(512, 32) + 1e-4 * gaussian(512, 32)
    assert rankme(z, centred=True) > 28
    assert rankme(z, centred=False) < 1.1


def test_an_exactly_constant_set_has_no_rank() -> None:
    assert rankme(torch.full((300, 16), 0.1), centred=True) == 0.0
    assert rankme(torch.zeros(300, 16), centred=False) == 0.0


def test_std_a_dimension() -> None:
    z = torch.tensor([[0.0, 1.0], [2.0, 1.0]])
    torch.testing.assert_close(per_dim_std(z), torch.tensor([2.0**0.5, 0.0], dtype=torch.float64))


@given(st.integers(2, 9), st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_mean_cosine_equals_the_mean_over_pairs(n: int, width: int) -> None:
    z = gaussian(n, width, seed=n * width).double()
    unit = z / z.norm(dim=1, keepdim=True)
    pairs = (unit @ unit.T)[~torch.eye(n, dtype=torch.bool)]
    assert mean_cosine(z) == pytest.approx(float(pairs.mean()), abs=1e-9)


def test_mean_cosine_of_constants_and_zeros_is_one() -> None:
    assert mean_cosine(torch.full((9, 4), 3.0)) == pytest.approx(1.0)
    assert mean_cosine(torch.zeros(9, 4)) == 1.0


def test_lidar_counts_directions_between_samples() -> None:
    means = torch.cat((torch.eye(4), -torch.eye(4))) * 100  # spread evenly over 4 of 6 dimensions
    z = torch.nn.functional.pad(means, (0, 2))[:, None] + gaussian(8, 200, 6).double()
    assert lidar(z) == pytest.approx(4.0, abs=0.1)


def test_lidar_measures_samples_in_units_of_their_views() -> None:
    scale = torch.tensor([100.0, 10.0, 1.0, 0.1], dtype=torch.float64)
    means = torch.cat((torch.eye(4), -torch.eye(4))).double() * 100
    z = (means[:, None] + gaussian(8, 400, 4).double()) * scale
    assert lidar(z, delta=1e-9) == pytest.approx(4.0, abs=0.1)


def test_lidar_ignores_directions_that_only_views_differ_in() -> None:
    samples = torch.nn.functional.pad(gaussian(60, 1, 2) * 10, (0, 6)).double()
    noisy = torch.nn.functional.pad(gaussian(60, 20, 6, seed=1) * 10, (2, 0)).double()
    assert lidar(samples + noisy + gaussian(60, 20, 8, seed=2)) < 2.6


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_alpha_is_the_exponent_of_the_spectrum(alpha: float) -> None:
    u = orthonormal(400, 128)
    u = torch.linalg.qr(u - u.mean(0))[0]
    z = u * torch.arange(1, 129, dtype=torch.float64) ** (-alpha / 2)
    assert alpha_req(z) == pytest.approx(alpha, abs=1e-3)


def test_uniformity_of_known_sets() -> None:
    assert uniformity(torch.ones(9, 4)) == pytest.approx(0.0, abs=1e-9)
    opposite = torch.tensor([[1.0, 0.0], [-3.0, 0.0]])  # one pair, at distance 2 on the circle
    assert uniformity(opposite) == pytest.approx(-8.0)
    assert uniformity(gaussian(600, 256)) == pytest.approx(-4.0, abs=0.05)


@given(st.integers(2, 6), st.integers(2, 5))
@settings(max_examples=15, deadline=None)
def test_alignment_is_the_mean_over_pairs_of_views(n: int, q: int) -> None:
    z = gaussian(n, q, 3, seed=n * q).double()
    unit = z / z.norm(dim=2, keepdim=True)
    pairs = [(unit[:, i] - unit[:, j]).square().sum(1).mean() for i in range(q) for j in range(i)]
    assert alignment(z) == pytest.approx(float(torch.stack(pairs).mean()))
    assert alignment(z[:, :1].expand(-1, 2, -1)) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("n", [300, 3000])
def test_gaussian_rows_score_about_one_at_any_scale_and_number(n: int) -> None:
    assert 0.4 < gaussianity(50 + 7 * gaussian(n, 16)) < 1.4


def test_rows_that_are_not_gaussian_score_in_proportion_to_their_number() -> None:
    signs = gaussian(4000, 1).sign()  # characteristic function cos t, against exp(-t²/2)
    t = torch.linspace(-3, 3, 6001, dtype=torch.float64)
    expected = 4000 * float(torch.trapezoid((t.cos() - (-t.square() / 2).exp()).square() * (-t.square() / 2).exp(), t))
    assert gaussianity(signs) == pytest.approx(expected, rel=0.03)
    assert gaussianity(signs) == pytest.approx(2 * gaussianity(signs[:2000]), rel=0.1)


def test_position_ratio_of_known_predictors() -> None:
    positions = torch.arange(16).repeat_interleave(40)
    mean = 3 * gaussian(16, 8)[positions]
    targets = mean + gaussian(640, 8, seed=1)
    assert position_ratio(targets, mean, positions) == pytest.approx(1.0, abs=0.05)
    assert position_ratio(targets, targets, positions) == 0.0
    assert position_ratio(targets, (mean + targets) / 2, positions) == pytest.approx(0.25, abs=0.02)
    assert (position_ratio(targets, torch.zeros_like(targets), positions) or 0.0) > 5


def test_content_is_what_the_position_does_not_explain() -> None:
    positions = torch.arange(50).repeat_interleave(2)
    means = 30 * gaussian(50, 8)[positions]
    assert content_std(means, positions) == pytest.approx(0.0, abs=1e-9)
    assert content_std(means + 0.5 * gaussian(100, 8, seed=1), positions) == pytest.approx(0.5, rel=0.1)
    assert content_std(means, torch.arange(100)) is None


def test_position_ratio_is_unbiased_with_two_targets_a_position() -> None:
    positions = torch.arange(2000).repeat_interleave(2)
    targets = gaussian(4000, 8)
    assert position_ratio(targets, torch.zeros_like(targets), positions) == pytest.approx(1.0, abs=0.05)


def test_position_ratio_without_repeats_or_variance_is_not_a_number() -> None:
    z = gaussian(10, 4)
    assert position_ratio(z, z, torch.arange(10)) is None
    assert position_ratio(torch.full((10, 4), 0.1), z, torch.zeros(10, dtype=torch.int64)) is None


@pytest.mark.parametrize("measure", [per_dim_std, mean_cosine, lidar, alpha_req, uniformity, alignment, gaussianity])
def test_a_single_row_is_refused(measure) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ContractError):
        measure(torch.ones(1, 4))
