"""From a validated config to live components. The only place that calls factories of plugins.

How a factory is called, by role (`settings` is the validated options model, absent from the call when the component has none):

| role | call | gives |
|---|---|---|
| modality | `factory()` | Modality |
| view | `factory(settings)` | ViewMaker |
| tokenizer | `factory(settings, width=D, spec=reader.spec())` | Tokenizer |
| masker | `factory(settings)` | Masker |
| encoder | `factory(settings, axes=K)` | Encoder |
| predictor | `factory(settings, context_width=D, target_width=Dt)` | Predictor |
| transform | `factory(settings)` | TargetTransform |
| target | `factory(settings, backbone=backbone, transform=transform)`, and `inner=[…]` when it is made of others | TargetProvider |
| objective | `factory(settings, width=D)` | Objective |
| probe | `factory(task="classification"…, seed=seed)`, by `evaluate.contenders`, which needs no other part | Probe, or None for that task |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from jepakit.config import Component, RunConfig
from jepakit.contracts import Masker, Modality, Reader, Sample, Tokenizer, ViewMaker
from jepakit.errors import ConfigError
from jepakit.jepa import Jepa, Term
from jepakit.model.backbone import Backbone
from jepakit.plugin_host.blame import attributed
from jepakit.plugin_host.guard import guard
from jepakit.plugin_host.host import Host, load

FIT_SAMPLES = 2_000
"""How many training samples a tokenizer sees to fit its scalers: enough for a mean to within a few per cent of a standard deviation."""


@dataclass(frozen=True)
class Parts:
    """Everything that a run is made of."""

    modality: Modality
    view: ViewMaker | None
    masker: Masker
    jepa: Jepa

    @property
    def tokenizers(self) -> dict[str, Tokenizer]:
        """The tokenizers by stream."""
        return {name: part for name, part in self.jepa.backbone.tokenizers.items() if isinstance(part, Tokenizer)}


def build_modality(config: RunConfig, host: Host) -> Modality:
    """The kind of data that the config names."""
    spec, status = host.component("modality", config.modality)
    with attributed(host.plugins, suspect=(status, "modality", spec.name)):
        modality: Modality = guard(load(spec.target)(), status, "modality", spec.name)
    return modality


def build(config: RunConfig, host: Host, reader_spec: Mapping[str, Any], modality: Modality | None = None) -> Parts:
    """All components, with weights drawn from the config's seed alone; the global generator is left as it was."""
    modality = modality or build_modality(config, host)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.train.seed)
        jepa = _jepa(config, host, reader_spec)
    view = None if config.views is None else _make(host, "view", config.views)
    check_alignment(config, view, jepa)
    return Parts(modality, view, _make(host, "masker", config.masker), jepa)


def build_backbone(config: RunConfig, host: Host, reader_spec: Mapping[str, Any]) -> Backbone:
    """Tokenizer and encoder alone, with weights drawn from torch's generator as it stands: for weights that come from elsewhere."""
    width = getattr(config.encoder.settings, "width", 0)
    tokenizer = _make(host, "tokenizer", config.tokenizer, width=width, spec=reader_spec)
    return Backbone({"main": tokenizer}, _make(host, "encoder", config.encoder, axes=len(tokenizer.axes)))


def _jepa(config: RunConfig, host: Host, reader_spec: Mapping[str, Any]) -> Jepa:
    backbone = build_backbone(config, host, reader_spec)
    encoder = backbone.encoder
    target = None
    if config.target is not None:
        transform = _make(host, "transform", config.transform)
        target = _make(host, "target", config.target, backbone=backbone, transform=transform)
    predictor = None
    if config.predictor is not None:
        target_width = encoder.width if target is None else target.width
        predictor = _make(host, "predictor", config.predictor, context_width=encoder.width, target_width=target_width)
    terms = [Term(part.name, _make(host, "objective", part, width=encoder.width), part.weight) for part in config.objective]
    return Jepa(backbone, target, predictor=predictor, terms=terms, executor=config.executor)


def check_alignment(config: RunConfig, view: ViewMaker | None, jepa: Jepa) -> None:
    """ConfigError when a view would cut the sample and leave behind what the target made of the whole of it."""
    if config.views is None or config.target is None or view is None or view.carries_asides:
        return
    if jepa.target is not None and jepa.target.has_asides:
        raise ConfigError(
            f"views: '{config.views.name}' does not cut what target '{config.target.name}' computes once a sample, so they would not "
            "match; choose a view that does, views=null, or let the target compute in every step"
        )


def _make(host: Host, role: str, component: Component, **facts: Any) -> Any:
    """Calls the factory of a component with its options and with what its role is told; what it is made of is made first."""
    spec, status = host.component(role, component.name)
    options = () if component.settings is None else (component.settings,)
    if component.inner:
        facts["inner"] = [_make(host, role, part, **facts) for part in component.inner]
    with attributed(host.plugins, suspect=(status, role, spec.name)):
        return guard(load(spec.target)(*options, **facts), status, role, spec.name)


def fit_tokenizers(parts: Parts, reader: Reader) -> None:
    """Lets every tokenizer learn its scalers from evenly spread training samples, and copies them into the target encoder."""
    step = max(1, len(reader) // FIT_SAMPLES)
    samples: list[Sample] = [reader.read(index) for index in range(0, len(reader), step)][:FIT_SAMPLES]
    for tokenizer in parts.tokenizers.values():
        tokenizer.fit(samples)
    parts.jepa.settle()
