"""What is predicted of a column says nothing that the column's name says already."""

from __future__ import annotations

import pytest
import torch
from jepakit_tabular.target import ColumnTarget, ColumnTargetSettings
from torch import Tensor

from jepakit.contracts import Features


def features(*, constant: int | None = None) -> Features:
    """64 rows, 5 columns far apart from each other; on request, one column the same in all rows."""
    generator = torch.Generator().manual_seed(0)
    place = 5.0 * torch.randn(1, 5, 16, generator=generator)
    last, level = (place + torch.randn(64, 5, 16, generator=generator) for _ in range(2))
    if constant is not None:
        last[:, constant], level[:, constant] = place[:, constant], place[:, constant]
    return Features(last=last, levels=(level,))


def target(found: Features, valid: Tensor | None = None, levels: tuple[int, ...] = (1, -1)) -> Tensor:
    made: Tensor = ColumnTarget(ColumnTargetSettings(levels=levels))(found, valid)
    return made


def test_every_column_has_mean_zero_and_spread_one() -> None:
    found = target(features())
    torch.testing.assert_close(found.mean(0), torch.zeros(5, 16), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std(0, unbiased=False), torch.ones(5, 16), atol=1e-4, rtol=0)


def test_a_constant_column_stays_quiet() -> None:
    found = target(features(constant=2))
    assert found[:, 2].abs().max() < 1e-3
    assert found[:, 1].std() == pytest.approx(1.0, abs=0.05)


def test_cells_that_are_no_tokens_do_not_count() -> None:
    given = features()
    valid = torch.ones(64, 5, dtype=torch.bool)
    valid[32:, 3] = False
    wild = Features(last=given.last.clone(), levels=given.levels)
    wild.last[32:, 3] = 1e3
    torch.testing.assert_close(target(wild, valid)[:32, 3], target(given, valid)[:32, 3])


def test_levels_are_those_asked_for() -> None:
    given = features()
    other = Features(last=given.last, levels=(given.levels[0].flip(0),))
    assert not torch.allclose(target(given), target(other), atol=0.1)
    torch.testing.assert_close(target(given, levels=(-1,)), target(other, levels=(-1,)))
    assert ColumnTarget(ColumnTargetSettings(levels=(0, 2, -1))).levels == (0, 2)
