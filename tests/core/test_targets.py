"""Providers and the transform: what a target is, and that nothing in it moves that should not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from jepakit.contracts import Features, Raw, TargetProvider
from jepakit.errors import ConfigError, ContractError
from jepakit.model.backbone import Backbone
from jepakit.targets import (
    EmaSettings,
    EmaTarget,
    FrozenSettings,
    FrozenTarget,
    OnlineSettings,
    OnlineTarget,
    RawFunctionTarget,
)
from jepakit.targets_composed import CrossStreamTarget, MultiTarget
from jepakit.targets_transform import LevelsSettings, LevelsTransform


@pytest.fixture
def backbone(make_jepa) -> Backbone:
    return make_jepa().backbone


@pytest.fixture
def streams(make_batch) -> dict[str, Raw]:
    return {"main": make_batch().streams["main"], "other": make_batch(seed=1).streams["main"]}


def plain() -> LevelsTransform:
    return LevelsTransform(LevelsSettings())


def ask(provider: TargetProvider, streams: dict[str, Raw], backbone: Backbone, *names: str) -> dict[str, torch.Tensor]:
    return provider(streams, backbone.tokens(streams), backbone, names or ("main",))


def test_frozen_stays_and_online_follows(backbone: Backbone, streams: dict[str, Raw]) -> None:
    frozen = FrozenTarget(FrozenSettings(), backbone=backbone, transform=plain())
    online = OnlineTarget(OnlineSettings(), backbone=backbone, transform=plain())
    before = [ask(each, streams, backbone)["main"] for each in (frozen, online)]
    torch.testing.assert_close(before[0], before[1])
    for parameter in backbone.parameters():
        parameter.data.mul_(1.1)
    frozen.after_step(backbone, 1, 10)
    torch.testing.assert_close(ask(frozen, streams, backbone)["main"], before[0])
    assert not torch.allclose(ask(online, streams, backbone)["main"], before[1])


@pytest.mark.parametrize("stop", [True, False])
def test_online_passes_gradient_only_if_asked(backbone: Backbone, streams: dict[str, Raw], stop: bool) -> None:
    target = ask(OnlineTarget(OnlineSettings(stop_gradient=stop), backbone=backbone, transform=plain()), streams, backbone)["main"]
    assert target.requires_grad is not stop


def test_raw_function_needs_no_encoder(backbone: Backbone, streams: dict[str, Raw]) -> None:
    target = RawFunctionTarget(lambda raw: raw.values[..., :2] ** 2, width=2)
    torch.testing.assert_close(ask(target, streams, backbone)["main"], streams["main"].values[..., :2] ** 2)
    with pytest.raises(ContractError, match="one row a token"):
        ask(RawFunctionTarget(lambda raw: raw.values[:, 1:], width=6), streams, backbone)


def test_cross_stream_takes_its_target_elsewhere(backbone: Backbone, streams: dict[str, Raw]) -> None:
    inner = RawFunctionTarget(lambda raw: raw.values, width=6)
    found = ask(CrossStreamTarget(inner, sources={"main": "other"}), streams, backbone)["main"]
    torch.testing.assert_close(found, streams["other"].values)


def test_multi_puts_targets_side_by_side(backbone: Backbone, streams: dict[str, Raw]) -> None:
    ema = EmaTarget(EmaSettings(start=0.9, end=0.9), backbone=backbone, transform=plain())
    both = MultiTarget([ema, RawFunctionTarget(lambda raw: raw.values, width=6)])
    found = ask(both, streams, backbone)["main"]
    assert found.shape[-1] == both.width == 30
    torch.testing.assert_close(found[..., 24:], streams["main"].values)
    assert both.after_step(backbone, 1, 2) == {"ema_momentum": 0.9}


@pytest.mark.parametrize(("policy", "expected"), [("copy", 5.0), ("average", 0.5), ("keep", 0.0)])
def test_buffers_follow_their_policy(backbone: Backbone, policy: str, expected: float) -> None:
    backbone.register_buffer("statistic", torch.zeros(1))
    target = EmaTarget(EmaSettings(start=0.9, end=0.9, buffers=policy), backbone=backbone, transform=plain())
    backbone.statistic.fill_(5.0)
    target.after_step(backbone, 1, 10)
    assert target.average.statistic.item() == pytest.approx(expected)


def test_settling_takes_over_fitted_buffers_whatever_the_policy(backbone: Backbone) -> None:
    backbone.register_buffer("scaler", torch.zeros(1))
    target = EmaTarget(EmaSettings(buffers="keep"), backbone=backbone, transform=plain())
    backbone.scaler.fill_(3.0)
    target.settle(backbone)
    assert target.average.scaler.item() == 3.0


def test_average_is_float32_even_for_a_bfloat16_encoder(backbone: Backbone) -> None:
    """At 0.999 a bfloat16 average would not move: its steps are smaller than its grid."""
    narrow = backbone.to(torch.bfloat16)
    target = EmaTarget(EmaSettings(start=0.999, end=0.999), backbone=narrow, transform=plain())
    name, kept = next(iter(target.average.named_parameters()))
    before = kept.clone()
    dict(narrow.named_parameters())[name].data.add_(1.0)
    for step in range(10):
        target.after_step(narrow, step + 1, 10)
    assert kept.dtype == torch.float32
    torch.testing.assert_close(kept - before, torch.full_like(kept, 1 - 0.999**10), rtol=0.02, atol=1e-4)


def test_an_average_without_the_encoder_is_refused(backbone: Backbone) -> None:
    with pytest.raises(ConfigError, match="must hold 'encoder'"):
        EmaTarget(EmaSettings(scope=("tokenizer",)), backbone=backbone, transform=plain())


def features() -> Features:
    generator = torch.Generator().manual_seed(0)
    last, level = (5 + 3 * torch.randn(4, 6, 8, generator=generator) for _ in range(2))
    return Features(last=last, levels=(level,))


def test_layer_norm_has_no_mean_and_unit_variance() -> None:
    found = LevelsTransform(LevelsSettings())(features(), None)
    torch.testing.assert_close(found.mean(-1), torch.zeros(4, 6), rtol=0, atol=1e-5)
    torch.testing.assert_close(found.var(-1, unbiased=False), torch.ones(4, 6), rtol=1e-3, atol=1e-3)


def test_standardise_uses_valid_tokens_only() -> None:
    valid = torch.ones(4, 6, dtype=torch.bool)
    valid[:, 4:] = False
    given = features()
    given.last[:, 4:] = 1e6
    found = LevelsTransform(LevelsSettings(norm="standardise"))(given, valid)[valid]
    torch.testing.assert_close(found.mean(0), torch.zeros(8), rtol=0, atol=1e-4)
    torch.testing.assert_close(found.std(0, unbiased=False), torch.ones(8), rtol=1e-3, atol=1e-3)


def test_position_leaves_nothing_of_where_a_token_lies() -> None:
    given, shift = features(), 5 * torch.randn(1, 6, 8, generator=torch.Generator().manual_seed(1))
    valid = torch.ones(4, 6, dtype=torch.bool)
    valid[1:, 5] = False
    transform = LevelsTransform(LevelsSettings(norm="position"))
    plain, moved = transform(given, valid), transform(replace(given, last=given.last + shift), valid)
    torch.testing.assert_close(plain[valid], moved[valid], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(plain[0, :5].var(-1, unbiased=False), torch.ones(5), rtol=1e-3, atol=1e-3)
    assert plain[0, 5].abs().max() < 1e-3  # alone at its place, there is nothing to tell


def test_levels_mix() -> None:
    given = features()
    mean = LevelsTransform(LevelsSettings(levels=(0, -1), norm="none", norm_levels=False))
    concat = LevelsTransform(LevelsSettings(levels=(0, -1), mix="concat", norm="none", norm_levels=False))
    assert mean.levels == concat.levels == (0,)
    torch.testing.assert_close(mean(given, None), (given.levels[0] + given.last) / 2)
    torch.testing.assert_close(concat(given, None), torch.cat((given.levels[0], given.last), dim=-1))
    assert (mean.out_width(8), concat.out_width(8)) == (8, 16)


def test_l2_has_unit_length() -> None:
    found = LevelsTransform(LevelsSettings(norm="l2"))(features(), None)
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(4, 6))
