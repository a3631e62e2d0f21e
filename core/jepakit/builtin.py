"""The core's own components, registered like any plugin's. Light: nothing named here is imported before a run asks for it.

RawFunctionTarget is absent: YAML can't name a function. A plugin builds one in a factory of its own and registers that.
"""

from __future__ import annotations

from collections.abc import Sequence

from jepakit.hookspecs import hookimpl
from jepakit.specs import ComponentSpec, Role

API = 1


def _spec(role: Role, name: str, where: str, settings: str, summary: str) -> ComponentSpec:
    """A component of the core, whose options model lies in the same module."""
    module, _, _ = where.partition(":")
    return ComponentSpec(role, name, f"jepakit.{where}", f"jepakit.{module}:{settings}", summary)


_COMPONENTS = (
    _spec("masker", "random", "maskers.random:RandomMasker", "RandomSettings", "random tokens"),
    _spec("masker", "block", "maskers.block:BlockMasker", "BlockSettings", "a few boxes, on any number of axes"),
    _spec("masker", "tube", "maskers.tube:TubeMasker", "TubeSettings", "boxes that run through whole axes"),
    _spec("masker", "span", "maskers.span:SpanMasker", "SpanSettings", "runs along one axis, tied over channels or not"),
    _spec("masker", "ball", "maskers.ball:BallMasker", "BallSettings", "balls in coordinate space"),
    _spec("masker", "channel", "maskers.channel:ChannelMasker", "ChannelSettings", "whole channels"),
    _spec("masker", "complement", "maskers.complement:ComplementMasker", "ComplementSettings", "all that another masker hides"),
    _spec("masker", "full", "maskers.full:FullMasker", "FullSettings", "nothing is hidden"),
    _spec("encoder", "transformer", "model.encoder:TransformerEncoder", "EncoderSettings", "pre-norm ViT over tokens"),
    _spec("predictor", "transformer", "model.predictor:TransformerPredictor", "TransformerSettings", "context and mask tokens in a row"),
    _spec("predictor", "cross", "model.predictor_cross:CrossPredictor", "CrossSettings", "queries attend to the context only"),
    _spec("predictor", "pointwise", "model.predictor_pointwise:PointwisePredictor", "PointwiseSettings", "an MLP on every token"),
    _spec("target", "ema", "targets:EmaTarget", "EmaSettings", "a moving average of the context encoder"),
    _spec("target", "frozen", "targets:FrozenTarget", "FrozenSettings", "an encoder that does not train"),
    _spec("target", "online", "targets:OnlineTarget", "OnlineSettings", "the context encoder itself"),
    ComponentSpec(
        "target",
        "cross-stream",
        "jepakit.targets_composed:cross_stream",
        "jepakit.targets_composed:CrossStreamSettings",
        "the inner target, computed from another stream",
        inner="one",
    ),
    ComponentSpec("target", "multi", "jepakit.targets_composed:multi", summary="inner targets side by side", inner="many"),
    _spec("transform", "levels", "targets_transform:LevelsTransform", "LevelsSettings", "picks, mixes and normalises blocks"),
    _spec("objective", "smooth-l1", "objectives:SmoothL1", "SmoothL1Settings", "L1 with a quadratic floor"),
    _spec("objective", "l1", "objectives:L1", "L1Settings", "mean absolute difference"),
    _spec("objective", "mse", "objectives:Mse", "MseSettings", "mean squared difference"),
    _spec("objective", "cosine", "objectives:Cosine", "CosineSettings", "one minus cosine similarity"),
    _spec("objective", "variance", "objectives:Variance", "VarianceSettings", "keeps every dimension spread (VICReg)"),
    _spec("objective", "covariance", "objectives:Covariance", "CovarianceSettings", "keeps dimensions uncorrelated (VICReg)"),
    _spec("objective", "gaussian-slices", "objectives:GaussianSlices", "GaussianSlicesSettings", "every projection a unit Gaussian"),
    _spec("objective", "agreement", "objectives_agreement:Agreement", "AgreementSettings", "contexts of a sample tell the same whole"),
)


@hookimpl
def register_components() -> Sequence[ComponentSpec]:
    """Maskers, encoder, predictors, targets, the target transform and objectives."""
    return _COMPONENTS
