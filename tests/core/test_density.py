"""Scores against closed forms: a linear map has one Jacobian everywhere, a nonlinear one is checked against finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from jepakit.density import FLOOR, estimated_scores, exact_scores
from jepakit.errors import ContractError


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_linear_map_scores_its_log_volume_everywhere() -> None:
    weight = drawn(5, 12)
    found = exact_scores(lambda x: x @ weight.T, drawn(7, 12, seed=1))
    expected = torch.linalg.svdvals(weight).log().sum()
    torch.testing.assert_close(found.score, expected.expand(7))
    assert not found.error.any()


def test_each_sample_is_scored_by_its_own_jacobian() -> None:
    weight = drawn(4, 6)
    x = drawn(3, 6, seed=2)
    found = exact_scores(lambda x: torch.tanh(x @ weight.T), x).score
    for row, score in zip(x, found):
        jacobian = torch.autograd.functional.jacobian(lambda v: torch.tanh(weight @ v), row)
        torch.testing.assert_close(score, torch.linalg.svdvals(jacobian).log().sum())


def test_scaling_the_encoder_shifts_all_scores_alike() -> None:
    weight, x = drawn(4, 6), drawn(5, 6, seed=3)
    small, large = (exact_scores(lambda v, c=c: c * torch.tanh(v @ weight.T), x).score for c in (1.0, 3.0))
    torch.testing.assert_close(large - small, torch.full((5,), 4 * torch.log(torch.tensor(3.0, dtype=torch.float64)).item()).double())


def test_a_direction_that_is_not_seen_counts_as_the_floor() -> None:
    weight = torch.diag(torch.tensor([2.0, 0.0], dtype=torch.float64))
    found = exact_scores(lambda x: x @ weight.T, drawn(2, 2)).score
    expected = torch.log(torch.tensor(2.0)) + torch.log(torch.tensor(2.0 * FLOOR))
    torch.testing.assert_close(found, expected.double().expand(2))


def test_the_estimate_lies_within_its_error_of_the_exact_score() -> None:
    weight, x = drawn(40, 60), drawn(6, 60, seed=4)

    def encode(v: Tensor) -> Tensor:
        return torch.tanh(0.1 * v @ weight.T)

    exact = exact_scores(encode, x).score
    found = estimated_scores(encode, x, probes=64, generator=torch.Generator().manual_seed(0))
    assert (found.error > 0).all()
    assert ((found.score - exact).abs() < 4 * found.error).all()
    assert (found.error < 0.1 * exact.abs()).all()


def test_what_is_no_embedding_is_refused() -> None:
    with pytest.raises(ContractError, match="one embedding a sample"):
        exact_scores(lambda x: x[None], drawn(3, 4))
    with pytest.raises(ContractError, match="do not depend"):
        exact_scores(lambda x: x.detach(), drawn(3, 4))
    with pytest.raises(ContractError, match="at least 2 probes"):
        estimated_scores(lambda x: x, drawn(3, 4), probes=1, generator=torch.Generator())
