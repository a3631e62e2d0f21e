"""The conformance kit on what jepakit ships: images, and every masker, encoder, predictor, target and objective of the core."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jepakit.config import load_config
from jepakit.contracts import Sample
from jepakit.plugin_host.loader import discover, load
from jepakit.testing import (
    check_encoder,
    check_masker,
    check_modality,
    check_objective,
    check_predictor,
    check_recipe,
    check_target,
    check_tokenizer,
    check_view,
    parametrize_with_checks,
)  # fmt: skip
from jepakit.testing.check import Check
from jepakit.testing.recipe import Scene
from jepakit.testing.tokenizer import batch_of

HOST = discover(allow=frozenset())
SMALL = ("encoder.width=32", "encoder.depth=2", "encoder.heads=2", "predictor.width=16", "predictor.depth=1", "predictor.heads=1")
WIDTH = 32


def make(role: str, name: str, options: dict[str, object], **facts: object) -> object:
    spec, _ = HOST.component(role, name)
    settings = [load(spec.config)(**options)] if spec.config else []
    return load(spec.target)(*settings, **facts)


def named(name: str, checks: object) -> list[Check]:
    return [Check(f"{check.name}[{name}]", check.run, check.remedy, check.slow) for check in checks]  # type: ignore[attr-defined]


def samples() -> list[Sample]:
    reader = load(HOST.component("modality", "image")[0].target)().synthetic(8, 0)
    return [reader.read(index) for index in range(8)]


@parametrize_with_checks(
    check_modality(load(HOST.component("modality", "image")[0].target)()),
    {"reader.spawns": "readers of images hold functions made on the spot; workers get them by forking"},
)
def test_image_modality(check: Callable[[], None]) -> None:
    check()


@parametrize_with_checks(
    check_tokenizer(make("tokenizer", "image-patch", {"patch": 8}, width=WIDTH, spec={"channels": 1}), samples())  # type: ignore[arg-type]
)
def test_image_tokenizer(check: Callable[[], None]) -> None:
    check()


@parametrize_with_checks(check_view(make("view", "image-crop", {}), samples()))  # type: ignore[arg-type]
def test_image_view(check: Callable[[], None]) -> None:
    check()


MASKERS = {
    "random": {}, "block": {}, "tube": {}, "span": {}, "ball": {}, "channel": {}, "complement": {}, "full": {},
}  # fmt: skip
BY_DESIGN = {
    "masker.disjoint[full]": "it hides nothing: queries ask for tokens that are seen",
    "masker.random[full]": "it hides nothing, so there is nothing to draw",
}


@parametrize_with_checks(
    [check for name, options in MASKERS.items() for check in named(name, check_masker(make("masker", name, options)))],  # type: ignore[arg-type]
    BY_DESIGN,
)
def test_masker(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_encoder(axes: int) -> None:
    encoder = make("encoder", "transformer", {"width": WIDTH, "depth": 2, "heads": 2}, axes=axes)
    for check in check_encoder(encoder, axes):  # type: ignore[arg-type]
        check.run()


PREDICTORS = {
    "transformer": {"width": 16, "depth": 1, "heads": 2}, "cross": {"width": 16, "depth": 1, "heads": 2}, "pointwise": {"hidden": 16},
}  # fmt: skip


@parametrize_with_checks(
    [
        check
        for name, options in PREDICTORS.items()
        for check in named(
            name,
            check_predictor(
                make("predictor", name, options, context_width=WIDTH, target_width=24),  # type: ignore[arg-type]
                context_width=WIDTH,
                target_width=24,
            ),
        )
    ]
)
def test_predictor(check: Callable[[], None]) -> None:
    check()


def objective(name: str) -> object:
    return make("objective", name, {}, width=16)


@parametrize_with_checks(
    [check for spec in HOST.components("objective") for check in named(spec.name, check_objective(objective(spec.name)))]
)  # type: ignore[arg-type]
def test_objective(check: Callable[[], None]) -> None:
    check()


def target_checks(name: str) -> list[Check]:
    scene = Scene("image-quick", HOST, (*SMALL, f"target={{name: {name}}}"))
    parts = scene.parts()
    tokenizer = parts.tokenizers["main"]
    streams = {"main": batch_of(tokenizer, samples())}
    assert parts.jepa.target is not None
    return named(name, check_target(parts.jepa.target, parts.jepa.backbone, streams))


@parametrize_with_checks(
    [check for name in ("ema", "frozen", "online") for check in target_checks(name)],
    {"target.stop_gradient[online]": "this target is the context encoder itself, with gradient by design (EB-JEPA)"},
)
def test_target(check: Callable[[], None]) -> None:
    check()


# a narrow encoder bears a higher rate, and fifty steps are few
@parametrize_with_checks(check_recipe("image-quick", HOST, (*SMALL, "optim.lr=8e-3")))
def test_recipe(check: Callable[[], None]) -> None:
    check()


def test_config_of_the_recipe_is_the_shipped_one() -> None:
    assert load_config("image-quick", SMALL, HOST).tokenizer.name == "image-patch"
