"""What ranks tell each other, on two threads that stand for two processes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from jepakit.crossrank import moments_over_ranks, rank, ratio_over_ranks
from jepakit.horizon import Horizon
from jepakit.testing.ranks import on_ranks
from jepakit.train.ranks import agreed, average_gradients, averaged, from_first, of_all, on_any, share_weights


def layer(value: float) -> nn.Linear:
    made = nn.Linear(2, 1)
    nn.init.constant_(made.weight, value)
    return made


def test_gradients_are_averaged_and_what_nobody_used_stays_without() -> None:
    def step(value: float, also: bool) -> Callable[[], list[torch.Tensor | None]]:
        def run() -> list[torch.Tensor | None]:
            first, second, idle = layer(1.0), layer(1.0), layer(1.0)
            loss = first(torch.full((1, 2), value)).sum() + (second(torch.ones(1, 2)).sum() if also else 0.0)
            loss.backward()
            parameters = [first.weight, second.weight, idle.weight]
            average_gradients(parameters)
            return [parameter.grad for parameter in parameters]

        return run

    for first, second, idle in on_ranks([step(1.0, False), step(3.0, True)]):
        assert first is not None
        assert second is not None
        assert first.tolist() == [[2.0, 2.0]]
        assert second.tolist() == [[0.5, 0.5]]
        assert idle is None


def test_weights_and_horizon_are_those_of_the_first() -> None:
    def run() -> tuple[float, Horizon]:
        own = layer(1.0 + rank())
        share_weights(own)
        return own.weight[0, 0].item(), agreed(Horizon(100 + rank(), 7, 0.1))

    assert on_ranks([run, run]) == [(1.0, Horizon(100, 7, 0.1))] * 2


def test_flags_names_and_means_of_all() -> None:
    def run() -> tuple[bool, bool, list[str], dict[str, float], list[int]]:
        names = ["é-1", "b"] if rank() else []
        return (
            on_any(rank() == 1),
            on_any(False),
            of_all(names),
            averaged({"loss": float(rank())}),
            from_first(torch.tensor([rank()])).tolist(),
        )

    assert on_ranks([run, run]) == [(True, False, ["é-1", "b"], {"loss": 0.5}, [0])] * 2


def test_moments_and_ratios_are_those_of_one_process() -> None:
    rows = torch.randn(8, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def run() -> tuple[torch.Tensor, ...]:
        mine = rows[:5] if rank() == 0 else rows[5:]
        total = torch.tensor([2.0, 4.0, 6.0]) if rank() else torch.tensor([1.0])
        return (*moments_over_ranks(mine), ratio_over_ranks(total, torch.ones_like(total)))

    for mean, variance, ratio in on_ranks([run, run]):
        torch.testing.assert_close(mean, rows.mean(0))
        torch.testing.assert_close(variance, rows.var(0, unbiased=False))
        assert ratio.tolist() == [1.5, 4.0, 6.0]


def test_alone_nothing_changes() -> None:
    one = layer(3.0)
    share_weights(one)
    average_gradients(one.parameters())
    assert one.weight.grad is None
    assert (agreed(Horizon(5)), averaged({"a": 1.0}), of_all(["x"]), on_any(True)) == (Horizon(5), {"a": 1.0}, ["x"], True)
