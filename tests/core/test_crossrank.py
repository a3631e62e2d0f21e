"""A variance over two ranks has the value and the gradient of one process; a gather without gradient has not."""

from __future__ import annotations

import datetime
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from jepakit.crossrank import all_gather_rows, mean_over_ranks, sum_over_ranks, world_size

ROWS = (5, 3)
"""Rows on each rank: ragged on purpose."""


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(sum(ROWS), 4, generator=generator).double(), torch.randn(4, 3, generator=generator).double()


def gathered(z: Tensor) -> Tensor:
    return all_gather_rows(z).var(0).sum()


def moments(z: Tensor) -> Tensor:
    """The same variance from averaged moments; ranks weigh by their rows."""
    mean = mean_over_ranks(z.mean(0), len(z))
    square = mean_over_ranks(z.square().mean(0), float(len(z)))
    n = float(sum_over_ranks(torch.tensor(float(len(z)))))
    return ((square - mean.square()) * n / (n - 1)).sum()


def naive(z: Tensor) -> Tensor:
    """What goes wrong: other ranks' rows arrive without gradient."""
    start = sum(ROWS[: dist.get_rank()])
    rows = all_gather_rows(z.detach())
    return torch.cat((rows[:start], z, rows[start + len(z) :])).var(0).sum()


STATISTICS: dict[str, Callable[[Tensor], Tensor]] = {"gathered": gathered, "moments": moments, "naive": naive}


def on_one_rank(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=len(ROWS), timeout=datetime.timedelta(seconds=60)
    )
    x, weight = batch()
    mine = x.split(ROWS)[rank]
    results = {}
    for name, statistic in STATISTICS.items():
        w = weight.clone().requires_grad_()
        value = statistic(mine @ w)
        value.backward()  # type: ignore[no-untyped-call]
        assert w.grad is not None
        dist.all_reduce(w.grad)
        results[name] = {"value": value.detach(), "gradient": w.grad / world_size()}  # a data-parallel wrapper averages
    if rank == 0:
        torch.save(results, f"{folder}/results.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Tensor]]:
    folder: Path = tmp_path_factory.mktemp("ranks")
    ranks = [subprocess.Popen([sys.executable, __file__, str(rank), str(folder)]) for rank in range(len(ROWS))]
    assert [rank.wait(timeout=60) for rank in ranks] == [0, 0]
    results: dict[str, dict[str, Tensor]] = torch.load(folder / "results.pt", weights_only=True)
    return results


def one_process() -> tuple[Tensor, Tensor]:
    x, weight = batch()
    weight.requires_grad_()
    value = (x @ weight).var(0).sum()
    (gradient,) = torch.autograd.grad(value, weight)
    return value.detach(), gradient


@pytest.mark.parametrize("name", ["gathered", "moments"])
def test_value_and_gradient_equal_one_process(two_ranks: dict[str, dict[str, Tensor]], name: str) -> None:
    value, gradient = one_process()
    torch.testing.assert_close(two_ranks[name]["value"], value)
    torch.testing.assert_close(two_ranks[name]["gradient"], gradient)


def test_a_gather_without_gradient_trains_something_else(two_ranks: dict[str, dict[str, Tensor]]) -> None:
    value, gradient = one_process()
    torch.testing.assert_close(two_ranks["naive"]["value"], value)
    assert not torch.allclose(two_ranks["naive"]["gradient"], gradient, rtol=0.1)


def test_all_are_the_identity_in_one_process() -> None:
    x = torch.randn(3, 2, requires_grad=True)
    assert world_size() == 1
    assert all_gather_rows(x) is x
    assert mean_over_ranks(x, 3.0) is x
    assert sum_over_ranks(x) is x


if __name__ == "__main__":
    on_one_rank(int(sys.argv[1]), sys.argv[2])
