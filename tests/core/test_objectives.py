"""Every term against its closed form, and padding that counts for nothing."""

from __future__ import annotations

import pytest
import torch

from jepakit.contracts import Features, StepOutput
from jepakit.objectives import (
    L1,
    Cosine,
    CosineSettings,
    Covariance,
    CovarianceSettings,
    GaussianSlices,
    GaussianSlicesSettings,
    L1Settings,
    Mse,
    MseSettings,
    SmoothL1,
    SmoothL1Settings,
    Variance,
    VarianceSettings,
)


def pair(prediction: torch.Tensor, target: torch.Tensor, valid=None, weight=None) -> StepOutput:
    return StepOutput(predictions=(prediction,), targets=(target,), valid=(valid,), weights=(weight,))


def pooled(z: torch.Tensor) -> StepOutput:
    return StepOutput(contexts=(Features(last=z[:, None]),))


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (SmoothL1(SmoothL1Settings(), width=4), 1.5),  # |d| = 2 beyond beta = 1: 2 - 1/2
        (SmoothL1(SmoothL1Settings(beta=4.0), width=4), 0.5),  # d^2 / (2 beta)
        (L1(L1Settings(), width=4), 2.0),
        (Mse(MseSettings(), width=4), 4.0),
        (Cosine(CosineSettings(), width=4), 0.0),
    ],
)
def test_prediction_terms(term, expected: float) -> None:
    target = torch.ones(2, 3, 4)
    assert term(pair(target + 2, target), 0).item() == pytest.approx(expected)


def test_padding_and_weights_count_as_they_should() -> None:
    """Two tokens with errors 1 and 3; a padded third with a huge one."""
    prediction = torch.tensor([[[1.0], [3.0], [99.0]]])
    target, valid = torch.zeros(1, 3, 1), torch.tensor([[True, True, False]])
    term = L1(L1Settings(), width=1)
    assert term(pair(prediction, target, valid), 0).item() == pytest.approx(2.0)
    assert term(pair(prediction, target, valid, torch.tensor([[3.0, 1.0, 5.0]])), 0).item() == pytest.approx(1.5)


def test_queries_count_alike_whatever_their_size() -> None:
    zeros = torch.zeros(1, 1, 1), torch.zeros(1, 9, 1)
    out = StepOutput(predictions=(zeros[0] + 1, zeros[1] + 3), targets=zeros, valid=(None, None), weights=(None, None))
    assert L1(L1Settings(), width=1)(out, 0).item() == pytest.approx(2.0)


def test_variance_hinge() -> None:
    constant = Variance(VarianceSettings(), width=8)(pooled(torch.zeros(64, 8)), 0).item()
    assert constant == pytest.approx(0.99)  # 1 - sqrt(1e-4)
    assert (
        Variance(VarianceSettings(), width=8)(pooled(3 * torch.randn(512, 8, generator=torch.Generator().manual_seed(0))), 0).item() == 0.0
    )


def test_covariance_of_two_equal_dimensions() -> None:
    """Two copies of a unit-variance signal: off-diagonal entries 1, squared and summed 2, over width 2."""
    signal = torch.tensor([1.0, -1.0] * 50) * (99 / 100) ** 0.5
    term = Covariance(CovarianceSettings(), width=2)
    assert term(pooled(torch.stack((signal, signal), dim=1)), 0).item() == pytest.approx(1.0, rel=1e-5)
    apart = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert term(pooled(apart), 0).item() == pytest.approx(0.0, abs=1e-6)


def test_gaussian_slices_know_a_gaussian_from_a_constant() -> None:
    """Reference values: 1.05 / N for a standard normal, 0.402 for a constant zero, whatever N."""
    term = GaussianSlices(GaussianSlicesSettings(slices=1024), width=16)
    normal = torch.randn(2048, 16, generator=torch.Generator().manual_seed(0))
    assert term(pooled(normal), 0).item() * 2048 == pytest.approx(1.05, rel=0.25)
    assert term(pooled(torch.zeros(64, 16)), 0).item() == pytest.approx(0.402, abs=0.002)
    assert term(pooled(normal), 3).item() == term(pooled(normal), 3).item() != term(pooled(normal), 4).item()


def test_pooling_of_contexts_ignores_padding() -> None:
    last = torch.tensor([[[1.0], [5.0]], [[3.0], [7.0]]])
    ragged = StepOutput(contexts=(Features(last=last, valid=torch.tensor([[True, False], [True, True]])),))
    dense = StepOutput(contexts=(Features(last=torch.tensor([[[1.0]], [[5.0]]])),))
    term = Variance(VarianceSettings(floor=10.0), width=1)
    assert term(ragged, 0).item() == pytest.approx(term(dense, 0).item())
