"""Where targets come from. A provider gives (B, N, Dt) for every token of the asked streams, once a step, for all queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from jepakit.contracts import ASIDE, Raw, Sample, TargetProvider, TargetTransform, Tokens
from jepakit.errors import ConfigError, ContractError
from jepakit.model.backbone import Backbone
from jepakit.schedule import ema_momentum
from jepakit.settings import Settings

Part = Literal["tokenizer", "encoder"]


class EmaSettings(Settings):
    """The averaged encoder. Without `start` and `end` the momentum follows from the planned number of steps."""

    scope: tuple[Part, ...] = Field(("tokenizer", "encoder"), description="what is averaged; the rest is shared with the context encoder")
    buffers: Literal["copy", "average", "keep"] = Field("copy", description="what happens to buffers (running statistics, scalers)")
    half_life: float = Field(0.07, gt=0, le=1, description="memory of the average as a share of the planned steps")
    start: float | None = Field(None, ge=0, le=1, description="first momentum; None = from half_life")
    end: float | None = Field(None, ge=0, le=1, description="last momentum, reached linearly; None = start, or from half_life")


class EmaTarget(TargetProvider):
    """A float32 exponential moving average of the context encoder, full view, no gradient.

    The average is kept in float32 whatever the precision of the step: a bfloat16 average at 0.999 does not move at all.
    Source: I-JEPA, Assran et al. 2023 (arXiv 2301.08243), section 3; BYOL (arXiv 2006.07733), section 3.1.
    """

    def __init__(self, settings: EmaSettings, *, backbone: Backbone, transform: TargetTransform) -> None:
        super().__init__()
        self.settings, self.transform = settings, transform
        self.width = transform.out_width(backbone.encoder.width)
        self.average = deepcopy(backbone).float().requires_grad_(False)
        if "tokenizer" not in settings.scope:
            self.average.tokenizers = nn.ModuleDict()
        if "encoder" not in settings.scope:
            raise ConfigError("target.scope: must hold 'encoder'; an average of the tokenizer alone is no target")

    def forward(
        self, streams: Mapping[str, Raw], tokens: Mapping[str, Tokens], online: nn.Module, names: Sequence[str]
    ) -> dict[str, Tensor]:
        with torch.no_grad():
            return {name: self._encode(streams[name], tokens.get(name), name) for name in names}

    def _encode(self, raw: Raw, shared: Tokens | None, name: str) -> Tensor:
        tokens = self.average.tokenizer(name)(raw) if "tokenizer" in self.settings.scope else shared
        if tokens is None:
            raise ContractError(f"no tokens of stream '{name}' to share with the target encoder")
        return self.transform(self.average.encode(tokens, levels=self.transform.levels), tokens.valid)

    @torch.no_grad()
    def settle(self, online: nn.Module) -> None:
        """Copies the buffers once, whatever `buffers` says: scalers fitted on training data belong to both encoders."""
        take_buffers(self.average, online)

    @torch.no_grad()
    def after_step(self, online: nn.Module, step: int, total: int) -> dict[str, float]:
        """Moves the average towards `online` after step number `step` (1-based) of `total`."""
        settings = self.settings
        momentum = ema_momentum(step, total, start=settings.start, end=settings.end, half_life=settings.half_life)
        source = dict(online.named_parameters())
        pairs = [(mean, source[name]) for name, mean in self.average.named_parameters()]
        torch._foreach_lerp_([mean for mean, _ in pairs], [value.detach().float() for _, value in pairs], 1.0 - momentum)
        self._follow_buffers(dict(online.named_buffers()), momentum)
        return {"ema_momentum": momentum}

    def _follow_buffers(self, source: Mapping[str, Tensor], momentum: float) -> None:
        for name, own in self.average.named_buffers():
            if self.settings.buffers == "copy" or (self.settings.buffers == "average" and not own.is_floating_point()):
                own.copy_(source[name])
            elif self.settings.buffers == "average":
                own.lerp_(source[name].to(own.dtype), 1.0 - momentum)


def take_buffers(own: nn.Module, online: nn.Module) -> None:
    """Copies every buffer of `online` that `own` has under the same name."""
    source = dict(online.named_buffers())
    for name, buffer in own.named_buffers():
        buffer.copy_(source[name])


class FrozenSettings(Settings):
    """A frozen copy of the encoder as it is at the start: random features, or imported weights."""


class FrozenTarget(TargetProvider):
    """The encoder as it was when the run began; never updated (SALT, arXiv 2509.24317, section 3; V-JEPA 2-AC)."""

    def __init__(self, settings: FrozenSettings, *, backbone: Backbone, transform: TargetTransform) -> None:
        super().__init__()
        self.transform = transform
        self.width = transform.out_width(backbone.encoder.width)
        self.copy = deepcopy(backbone).float().requires_grad_(False)

    @torch.no_grad()
    def settle(self, online: nn.Module) -> None:
        take_buffers(self.copy, online)

    def forward(
        self, streams: Mapping[str, Raw], tokens: Mapping[str, Tokens], online: nn.Module, names: Sequence[str]
    ) -> dict[str, Tensor]:
        with torch.no_grad():
            own = {name: self.copy.tokenizer(name)(streams[name]) for name in names}
            return {name: self.transform(self.copy.encode(own[name], levels=self.transform.levels), own[name].valid) for name in names}


class OnlineSettings(Settings):
    """The context encoder itself as target."""

    stop_gradient: bool = Field(
        False, description="whether the target is a constant; without a regulariser neither choice keeps it from collapse"
    )


class OnlineTarget(TargetProvider):
    """The context encoder on the full view, with gradient unless told otherwise (EB-JEPA, VICReg-style systems)."""

    def __init__(self, settings: OnlineSettings, *, backbone: Backbone, transform: TargetTransform) -> None:
        super().__init__()
        self.settings, self.transform = settings, transform
        self.width = transform.out_width(backbone.encoder.width)

    def forward(
        self, streams: Mapping[str, Raw], tokens: Mapping[str, Tokens], online: nn.Module, names: Sequence[str]
    ) -> dict[str, Tensor]:
        assert isinstance(online, Backbone)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.settings.stop_gradient):
            return {name: self.transform(online.encode(tokens[name], levels=self.transform.levels), tokens[name].valid) for name in names}


class RawFunctionTarget(TargetProvider):
    """A fixed function of the raw input: hand-made features, no encoder, no collapse (SAR-JEPA, arXiv 2311.15153, section 3.3).

    function: Raw → (B, N, Dt) float32, one row a token in the order of the tokenizer.
    once: the costly part, array of a stream → array that is kept: computed once a sample, cut by the view as the stream is, and handed
    to `function` in place of the stream. None when all is left to `function`.
    """

    def __init__(self, function: Callable[[Raw], Tensor], *, width: int, once: Callable[[np.ndarray], np.ndarray] | None = None) -> None:
        super().__init__()
        self.function, self.width, self.once = function, width, once

    def forward(
        self, streams: Mapping[str, Raw], tokens: Mapping[str, Tokens], online: nn.Module, names: Sequence[str]
    ) -> dict[str, Tensor]:
        with torch.no_grad():
            return {name: self._checked(name, self.function(self._input(streams, name)), tokens) for name in names}

    @property
    def has_asides(self) -> bool:
        return self.once is not None

    def asides(self, sample: Sample) -> dict[str, np.ndarray]:
        if self.once is None:
            return {}
        return {ASIDE + name: self.once(array) for name, array in sample.streams.items() if not name.startswith(ASIDE)}

    def _input(self, streams: Mapping[str, Raw], name: str) -> Raw:
        key = name if self.once is None else ASIDE + name
        if key not in streams:
            raise ContractError(f"the batch has no stream '{key}', which the target is read from")
        return streams[key]

    def _checked(self, name: str, target: Tensor, tokens: Mapping[str, Tokens]) -> Tensor:
        if name in tokens and target.shape[:2] != tokens[name].x.shape[:2]:
            raise ContractError(
                f"the target function returned {tuple(target.shape)} for stream '{name}' of {tuple(tokens[name].x.shape[:2])} (samples, "
                "tokens); it must return one row a token"
            )
        return target.float()
