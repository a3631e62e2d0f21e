from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from jepakit.checkpoint import State, load_latest, pack_module, pack_optimizer, save, section, unpack_module, unpack_optimizer
from jepakit.errors import CheckpointError
from jepakit.train.optim import OptimSettings, build_optimizers


def network(seed: int = 0) -> nn.Sequential:
    torch.random.default_generator.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


@pytest.fixture(autouse=True)
def _own_random_numbers() -> Iterator[None]:
    with torch.random.fork_rng():
        yield


def train(module: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> list[float]:
    losses = []
    for _ in range(steps):
        loss = module(torch.arange(15.0).reshape(5, 3)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def test_a_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    module = network()
    optimizer = build_optimizers(module, OptimSettings())["optimizer"]
    train(module, optimizer, 3)
    save(tmp_path, 3, State(3, pack_module("model", module) | pack_optimizer("optimizer", optimizer, module.named_parameters())))
    other = network(seed=1)
    resumed = build_optimizers(other, OptimSettings())["optimizer"]
    tensors = load_latest(tmp_path).tensors
    unpack_module("model", tensors, other)
    unpack_optimizer("optimizer", tensors, resumed, other.named_parameters())
    assert train(other, resumed, 4) == train(module, optimizer, 4)
    assert all(torch.equal(a, b) for a, b in zip(module.state_dict().values(), other.state_dict().values(), strict=True))


def test_optimizer_state_is_kept_by_name_not_by_order() -> None:
    module = network()
    forwards = torch.optim.AdamW(module.parameters())
    train(module, forwards, 2)
    packed = pack_optimizer("o", forwards, module.named_parameters())
    backwards = torch.optim.AdamW(list(module.parameters())[::-1])
    unpack_optimizer("o", packed, backwards, module.named_parameters())
    assert {"o/exp_avg/0.weight", "o/exp_avg_sq/2.bias", "o/step/1.weight"} <= packed.keys()
    assert all(torch.equal(backwards.state[p]["exp_avg"], forwards.state[p]["exp_avg"]) for p in module.parameters())


def test_a_parameter_without_gradient_has_no_state_and_needs_none() -> None:
    module = network()
    module[0].requires_grad_(False)
    optimizer = build_optimizers(module, OptimSettings())["optimizer"]
    train(module, optimizer, 1)
    packed = pack_optimizer("o", optimizer, module.named_parameters())
    assert not [name for name in packed if "/0." in name]
    unpack_optimizer("o", packed, build_optimizers(module, OptimSettings())["optimizer"], module.named_parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda packed: packed.pop("m/0.weight"), "missing: 0.weight"),
        (lambda packed: packed.update({"m/x": torch.ones(1)}), "unexpected: x"),
        (lambda packed: packed.update({"m/0.weight": torch.ones(4, 5)}), r"0\.weight is \(4, 5\), the model has \(4, 3\)"),
        (lambda packed: packed.clear(), r"missing: 0\.bias, 0\.weight, 1\.bias and 6 more"),
    ],
)
def test_a_module_that_does_not_fit_is_refused_and_left_alone(change: object, message: str) -> None:
    packed = {name: x.clone() for name, x in pack_module("m", network()).items()}
    change(packed)  # type: ignore[operator]
    other = network(seed=1)
    before = {name: x.clone() for name, x in other.state_dict().items()}
    with pytest.raises(CheckpointError, match=message):
        unpack_module("m", packed, other)
    assert all(torch.equal(before[name], x) for name, x in other.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda packed: packed.pop("o/exp_avg/0.weight"), "missing: exp_avg/0.weight"),
        (lambda packed: packed.update({"o/exp_avg/x": torch.ones(1)}), "unexpected: x"),
        (lambda packed: packed.update({"o/exp_avg/0.weight": torch.ones(9)}), "of another shape: exp_avg/0.weight"),
    ],
)
def test_optimizer_state_that_does_not_fit_is_refused(change: object, message: str) -> None:
    module = network()
    optimizer = build_optimizers(module, OptimSettings())["optimizer"]
    train(module, optimizer, 1)
    packed = pack_optimizer("o", optimizer, module.named_parameters())
    change(packed)  # type: ignore[operator]
    with pytest.raises(CheckpointError, match=message):
        unpack_optimizer("o", packed, build_optimizers(module, OptimSettings())["optimizer"], module.named_parameters())


def test_state_that_is_no_tensor_is_refused() -> None:
    class Odd(nn.Module):
        def get_extra_state(self) -> dict[str, int]:
            return {"count": 1}

    with pytest.raises(CheckpointError, match="not tensors can't be saved: _extra_state"):
        pack_module("m", Odd())


def test_section_takes_whole_names_only() -> None:
    assert list(section("a", {"a/x": torch.ones(1), "ab/x": torch.ones(1), "b/a/x": torch.ones(1)})) == ["x"]
