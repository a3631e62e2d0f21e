"""Targets made of other targets, which a recipe names under `inner`: from another stream, or several side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from jepakit.contracts import Raw, Sample, TargetProvider, TargetTransform, Tokens
from jepakit.model.backbone import Backbone
from jepakit.settings import Settings


class CrossStreamSettings(Settings):
    """Which stream a target is computed from."""

    sources: dict[str, str] = Field(
        min_length=1, description="predicted stream: stream of the same sample that its target is computed from"
    )


class CrossStreamTarget(TargetProvider):
    """Targets for one stream from another stream of the same sample: `sources` maps asked stream → where its target is computed."""

    def __init__(self, inner: TargetProvider, *, sources: Mapping[str, str]) -> None:
        super().__init__()
        self.inner, self.sources, self.width = inner, dict(sources), inner.width

    @property
    def average(self) -> nn.Module | None:
        """The averaged encoder of the inner target, if it keeps one: what users keep."""
        return getattr(self.inner, "average", None)

    @property
    def has_asides(self) -> bool:
        return self.inner.has_asides

    def asides(self, sample: Sample) -> dict[str, np.ndarray]:
        return self.inner.asides(sample)

    def forward(
        self, streams: Mapping[str, Raw], tokens: Mapping[str, Tokens], online: nn.Module, names: Sequence[str]
    ) -> dict[str, Tensor]:
        wanted = {name: self.sources.get(name, name) for name in names}
        found = self.inner(streams, tokens, online, sorted(set(wanted.values())))
        return {name: found[source] for name, source in wanted.items()}

    def settle(self, online: nn.Module) -> None:
        self.inner.settle(online)

    def after_step(self, online: nn.Module, step: int, total: int) -> dict[str, float]:
        return self.inner.after_step(online, step, total)


class MultiTarget(TargetProvider):
    """Several providers at once, their targets side by side along the width."""

    def __init__(self, providers: Sequence[TargetProvider]) -> None:
        super().__init__()
        self.providers = nn.ModuleList(providers)
        self.width = sum(provider.width for provider in providers)

    @property
    def average(self) -> nn.Module | None:
        """The averaged encoder of the first inner target that keeps one: what users keep."""
        kept = (getattr(provider, "average", None) for provider in self.providers)
        return next((average for average in kept if average is not None), None)

    @property
    def has_asides(self) -> bool:
        return any(provider.has_asides for provider in self._each())

    def asides(self, sample: Sample) -> dict[str, np.ndarray]:
        return {name: array for provider in self._each() for name, array in provider.asides(sample).items()}

    def forward(
        self, streams: Mapping[str, Raw], tokens: Mapping[str, Tokens], online: nn.Module, names: Sequence[str]
    ) -> dict[str, Tensor]:
        found = [provider(streams, tokens, online, names) for provider in self.providers]
        return {name: torch.cat([part[name] for part in found], dim=-1) for name in names}

    def settle(self, online: nn.Module) -> None:
        for provider in self._each():
            provider.settle(online)

    def after_step(self, online: nn.Module, step: int, total: int) -> dict[str, float]:
        logged: dict[str, float] = {}
        for provider in self._each():
            logged.update(provider.after_step(online, step, total))
        return logged

    def _each(self) -> list[TargetProvider]:
        return [provider for provider in self.providers if isinstance(provider, TargetProvider)]


def cross_stream(
    settings: CrossStreamSettings, *, backbone: Backbone, transform: TargetTransform, inner: Sequence[TargetProvider]
) -> CrossStreamTarget:
    """The target that a recipe calls `cross-stream`."""
    return CrossStreamTarget(inner[0], sources=settings.sources)


def multi(*, backbone: Backbone, transform: TargetTransform, inner: Sequence[TargetProvider]) -> MultiTarget:
    """The target that a recipe calls `multi`."""
    return MultiTarget(inner)
