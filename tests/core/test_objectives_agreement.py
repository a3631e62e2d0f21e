"""The agreement of contexts: zero when all tell the same, blind to padding, and no reward for a constant."""

from __future__ import annotations

import pytest
import torch

from jepakit.contracts import Features, StepOutput
from jepakit.errors import ContractError
from jepakit.objectives_agreement import Agreement, AgreementSettings


def term(share: float = 0.05) -> Agreement:
    torch.manual_seed(0)
    return Agreement(AgreementSettings(width=8, hidden=32, gaussian=share), width=16)


def contexts(*parts: torch.Tensor, valid: torch.Tensor | None = None) -> StepOutput:
    return StepOutput(contexts=tuple(Features(last=part, valid=valid) for part in parts))


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_contexts_that_tell_the_same_leave_only_the_gaussian_part() -> None:
    z = drawn(0, 32, 5, 16)
    same, small = (float(term(share)(contexts(z, z), 0).detach()) / share for share in (0.5, 0.05))
    assert same == pytest.approx(small, rel=1e-5), "no distance is left, so the value is in proportion to the share"


def test_contexts_of_other_samples_disagree() -> None:
    z = drawn(0, 32, 5, 16)
    assert term(0.01)(contexts(z, z.roll(1, 0)), 0) > 1.2 * term(0.01)(contexts(z, z), 0)


def test_a_constant_costs_more_than_spread() -> None:
    z = drawn(0, 64, 1, 16)
    flat = torch.zeros_like(z)
    assert term(0.5)(contexts(flat, flat), 0) > term(0.5)(contexts(z, z), 0)


def test_padding_counts_for_nothing() -> None:
    z = drawn(0, 8, 5, 16)
    valid = torch.tensor([[True, True, True, False, False]]).expand(8, -1)
    other = z.clone()
    other[:, 3:] = 1e3
    torch.testing.assert_close(term()(contexts(z, z, valid=valid), 0), term()(contexts(other, other, valid=valid), 0))


def test_both_contexts_are_taught() -> None:
    first, second = drawn(0, 8, 3, 16).requires_grad_(), drawn(1, 8, 3, 16).requires_grad_()
    term()(contexts(first, second), 0).backward()
    assert first.grad is not None
    assert second.grad is not None
    assert first.grad.abs().sum() > 0
    assert second.grad.abs().sum() > 0


def test_one_context_is_refused_in_words() -> None:
    with pytest.raises(ContractError, match=r"masker\.contexts to 2"):
        term()(contexts(drawn(0, 4, 2, 16)), 0)
