from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from jepakit.errors import ConfigError
from jepakit.model.attention import Block
from jepakit.model.encoder import EncoderSettings, TransformerEncoder
from jepakit.train.optim import OptimSettings, build_optimizers, clip_gradients, decays, parameter_groups, set_rates


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.Linear(3, 4)
        self.norm = nn.LayerNorm(4)
        self.channel_embedding = nn.Embedding(5, 4)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, 4))
        self.prefix = nn.Parameter(torch.zeros(2, 4))
        self.queries = nn.Parameter(torch.zeros(2, 4))
        self.frozen = nn.Linear(4, 4).requires_grad_(False)


def test_decay_goes_to_matrices_only() -> None:
    network = Network()
    with_decay = {name for name, x in network.named_parameters() if decays(name, x)}
    assert with_decay == {"patch_embed.weight", "queries", "frozen.weight"}
    assert not decays("grouped.bias", torch.zeros(2, 4))


def test_groups_hold_every_trainable_parameter_once() -> None:
    network = Network()
    first, second = parameter_groups(network.named_parameters(), 0.3)
    assert (first["weight_decay"], second["weight_decay"]) == (0.3, 0.0)
    assert {id(x) for x in first["params"]} == {id(network.patch_embed.weight), id(network.queries)}
    trainable = {id(x) for x in network.parameters() if x.requires_grad}
    assert sorted(map(id, first["params"] + second["params"])) == sorted(trainable)


def test_nothing_to_train_is_an_error() -> None:
    with pytest.raises(ConfigError, match="every parameter is frozen"):
        build_optimizers(Network().requires_grad_(False), OptimSettings())


def test_rates_are_functions_of_the_step() -> None:
    settings = OptimSettings(lr=1.0, warmup=0.1, final_lr=0.1, weight_decay=0.04, final_weight_decay=0.4)
    optimizers = build_optimizers(Network(), settings)
    optimizer = optimizers["optimizer"]
    seen = []
    for step in (0, 9, 55, 100):
        rate = set_rates(optimizers, step, 100, settings)
        assert {group["lr"] for group in optimizer.param_groups} == {rate}
        seen.append((rate, *(group["weight_decay"] for group in optimizer.param_groups)))
    half = 0.4 - 0.36 * (1 + math.cos(math.pi * 0.55)) / 2
    assert [rate for rate, _, _ in seen] == pytest.approx([0.1, 1.0, 0.55, 0.1])
    assert [seen[0][1], seen[2][1], seen[3][1]] == pytest.approx([0.04, half, 0.4])
    assert {without for _, _, without in seen} == {0.0}


def test_decay_stays_where_no_final_one_is_given() -> None:
    assert {OptimSettings(weight_decay=0.05).decay(step, 10) for step in range(11)} == {0.05}


def test_one_step_is_adamw() -> None:
    network = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(1.0)
    optimizer = build_optimizers(network, OptimSettings(lr=0.1, weight_decay=0.5))["optimizer"]
    network.weight.grad = torch.tensor([[3.0, -7.0]])
    optimizer.step()
    assert network.weight.tolist()[0] == pytest.approx([0.95 - 0.1, 0.95 + 0.1], abs=1e-6)


class Blocks(nn.Module):
    """Names as those of a `Jepa`."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Module()
        self.backbone.encoder = TransformerEncoder(EncoderSettings(width=8, depth=2, heads=2, channels=3, registers=1), axes=1)
        self.backbone.tokenizers = nn.ModuleDict({"main": nn.Sequential(nn.Linear(5, 8))})
        self.predictor = nn.ModuleDict({"entry": nn.Linear(8, 4), "blocks": nn.ModuleList([Block(4, 1)])})
        self.objectives = nn.ModuleList([nn.Linear(8, 4)])


def test_muon_trains_the_matrices_of_blocks_and_adamw_the_rest() -> None:
    network = Blocks()
    optimizers = build_optimizers(network, OptimSettings(matrix_lr=8e-3))
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    trained = {kind: [names[id(p)] for group in one.param_groups for p in group["params"]] for kind, one in optimizers.items()}
    inner = [name for name in names.values() if ".blocks." in name and name.endswith("weight") and "norm" not in name]
    assert len(inner) == 3 * 4
    assert sorted(trained["muon"]) == sorted(inner)
    assert sorted(trained["muon"] + trained["optimizer"]) == sorted(names.values())
    assert list(build_optimizers(network, OptimSettings())) == ["optimizer"]


def test_both_rates_follow_one_schedule() -> None:
    settings = OptimSettings(lr=1e-3, matrix_lr=8e-3, warmup=0.1, weight_decay=0.04, final_weight_decay=0.4)
    optimizers = build_optimizers(Blocks(), settings)
    for step in (0, 9, 55, 100):
        rate = set_rates(optimizers, step, 100, settings)
        (group,) = optimizers["muon"].param_groups
        assert group["lr"] == pytest.approx(8 * rate)
        assert group["weight_decay"] == settings.decay(step, 100)


def test_a_step_of_muon_is_as_large_as_one_of_adamw_at_its_rate_whatever_the_gradient() -> None:
    network = Blocks()
    network.requires_grad_(False)
    matrix = network.backbone.encoder.blocks[0].attention.qkv.weight.requires_grad_()
    optimizers = build_optimizers(network, OptimSettings(matrix_lr=0.1, weight_decay=0.0))
    assert list(optimizers) == ["muon"]
    start = matrix.detach().clone()
    matrix.grad = 1e-3 * torch.randn(matrix.shape, generator=torch.Generator().manual_seed(0)) * torch.arange(1.0, 9.0)
    optimizers["muon"].step()
    moved = matrix.detach() - start
    assert moved.square().mean().sqrt().item() == pytest.approx(0.2 * 0.1, rel=0.25)
    before, after = torch.linalg.svdvals(matrix.grad), torch.linalg.svdvals(moved)
    assert before.max() / before.min() > 8  # so that equal ones are no accident
    assert after.max() / after.min() < 2


def test_clipping_scales_all_gradients_together() -> None:
    a, b, c = (nn.Parameter(torch.zeros(1)) for _ in range(3))
    a.grad, b.grad = torch.tensor([3.0]), torch.tensor([4.0])
    assert clip_gradients([a, b, c], None) == pytest.approx(5.0)
    assert a.grad.item() == 3.0
    assert clip_gradients(iter([a, b, c]), 1.0) == pytest.approx(5.0)
    assert (a.grad.item(), b.grad.item()) == pytest.approx((0.6, 0.8), abs=1e-5)
    b.grad.fill_(math.nan)
    assert math.isnan(clip_gradients([a, b], 1.0))


@pytest.mark.parametrize("wrong", [{"lr": 0}, {"clip": -1}, {"schedule": "cosin"}, {"momentum": 0.9}, {"warmup": -0.1}])
def test_settings_refuse_what_makes_no_sense(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OptimSettings.model_validate(wrong)
