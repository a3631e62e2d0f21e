"""The optimisers: AdamW with weight decay where it belongs, Muon for matrices where asked; rates set from the step, gradients clipped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from jepakit.errors import ConfigError
from jepakit.schedule import ScheduleSettings, cosine
from jepakit.settings import Settings

Optimizers = dict[str, torch.optim.Optimizer]
"""By their names in a checkpoint."""


class OptimSettings(Settings):
    """AdamW (arXiv 1711.05101) and its schedule. Second beta .95: as in MAE (arXiv 2111.06377, app. A) and its successors."""

    lr: float = Field(1e-3, gt=0)
    matrix_lr: float | None = Field(None, gt=0)
    """Rate of Muon, which then trains the matrices of the blocks of encoder and predictor (`is_block_matrix`); None: AdamW trains all. It
    is in AdamW's units (`MATCHED`) and follows the same schedule."""
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = Field(0.05, ge=0)
    final_weight_decay: float | None = Field(None, ge=0)
    """Where a cosine takes the weight decay by the last step (I-JEPA: from 0.04 to 0.4); None: it stays."""
    clip: float | None = Field(1.0, gt=0)
    """Largest norm of the gradient; None: no clipping."""
    schedule: Literal["cosine", "constant-cooldown", "constant"] = "cosine"
    warmup: float = Field(0.1, ge=0)
    """Share of the steps below 1, number of steps from 1 on; `cooldown` likewise."""
    cooldown: float = Field(0.2, ge=0)
    final_lr: float = Field(0.01, ge=0)
    """Last learning rate as a factor of `lr`."""
    freeze_tokenizer: bool = False
    """Whether the tokenizer stays as it was drawn, for stability (MoCo v3, arXiv 2104.02057, section 4.2), and so that nothing that
    entered is lost to a probe that sees the tokens (`all:…` poolings)."""

    def rate(self, step: int, total: int) -> float:
        """The learning rate of AdamW for optimiser step number `step` of `total`."""
        return self._scheduled(step, total, self.lr)

    def matrix_rate(self, step: int, total: int) -> float:
        """The learning rate of Muon for that step."""
        return self._scheduled(step, total, self.lr if self.matrix_lr is None else self.matrix_lr)

    def _scheduled(self, step: int, total: int, peak: float) -> float:
        schedule = ScheduleSettings(kind=self.schedule, warmup=self.warmup, cooldown=self.cooldown, final=self.final_lr)
        return schedule.value(step, total, peak)

    def decay(self, step: int, total: int) -> float:
        """The weight decay for that step."""
        end = self.weight_decay if self.final_weight_decay is None else self.final_weight_decay
        return cosine(step, total, start=self.weight_decay, end=end)


_BARE = re.compile(r"(^|_)(tokens?|prefix|registers?|embed|embeddings?|positions?)$")
_TABLE = re.compile(r"(^|_)embeddings?$")
_BLOCK = re.compile(r"(backbone\.encoder|predictor)\.(.+\.)?\d+\.")
MATCHED = "match_rms_adamw"
"""How torch scales a step of Muon: its entries are as large as AdamW's at the same rate, 0.2 on average (arXiv 2502.16982, section 2.2)."""


def decays(name: str, parameter: Tensor) -> bool:
    """Whether weight decay applies: to matrices and kernels; not to biases, norms and scales (1-D or 0-D), tokens and embeddings.

    Tokens and embeddings are known by name: a bare parameter `mask_token`, `prefix`, `registers`, `kind_embed`, or the weight of a
    module called `..._embedding`. A projection called `patch_embed.proj` is a matrix like any other.
    """
    *modules, last = name.split(".")
    table = last == "weight" and bool(modules) and _TABLE.search(modules[-1])
    return parameter.ndim > 1 and last != "bias" and not _BARE.search(last) and not table


def parameter_groups(named_parameters: Iterable[tuple[str, nn.Parameter]], weight_decay: float) -> list[dict[str, Any]]:
    """Two groups for a torch optimiser, with decay and without; `decays` in a group tells which. Frozen parameters are left out."""
    trained = [(name, parameter) for name, parameter in named_parameters if parameter.requires_grad]
    with_decay = [parameter for name, parameter in trained if decays(name, parameter)]
    without = [parameter for name, parameter in trained if not decays(name, parameter)]
    groups = [
        {"params": with_decay, "weight_decay": weight_decay, "decays": True},
        {"params": without, "weight_decay": 0.0, "decays": False},
    ]
    return [group for group in groups if group["params"]]


def is_block_matrix(name: str, parameter: Tensor) -> bool:
    """Whether Muon may train it: a matrix of a numbered part of encoder or predictor, which are its blocks; no table, no way in or out."""
    return _BLOCK.match(name) is not None and parameter.ndim == 2 and decays(name, parameter)


def build_optimizers(module: nn.Module, settings: OptimSettings) -> Optimizers:
    """AdamW in its fused form as "optimizer", over all trainable parameters but those of "muon", where there is one.

    Source of Muon: Jordan et al. 2024 (kellerjordan.github.io/posts/muon), with the rates and the decay of Liu et al. 2025
    (arXiv 2502.16982), section 2.2. ConfigError when there is nothing to train.
    """
    named = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
    if not named:
        raise ConfigError("there is nothing to train: every parameter is frozen; unfreeze an encoder or a predictor")
    inner = {name: parameter for name, parameter in named if settings.matrix_lr is not None and is_block_matrix(name, parameter)}
    found: Optimizers = {}
    if groups := parameter_groups([pair for pair in named if pair[0] not in inner], settings.weight_decay):
        found["optimizer"] = torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, fused=True)
    if inner:
        group = {"params": list(inner.values()), "decays": True}
        found["muon"] = torch.optim.Muon(
            [group], lr=settings.matrix_lr or settings.lr, weight_decay=settings.weight_decay, adjust_lr_fn=MATCHED
        )
    return found


def set_rates(optimizers: Optimizers, step: int, total: int, settings: OptimSettings) -> float:
    """Set rates and decay for optimiser step number `step` of `total`, before it is taken; returns the learning rate of AdamW."""
    rate, decay = settings.rate(step, total), settings.decay(step, total)
    for name, optimizer in optimizers.items():
        for group in optimizer.param_groups:
            group["lr"] = settings.matrix_rate(step, total) if name == "muon" else rate
            group["weight_decay"] = decay if group["decays"] else 0.0
    return rate


def clip_gradients(parameters: Iterable[Tensor], max_norm: float | None) -> float:
    """Scale all gradients so that their joint 2-norm is at most `max_norm`; returns the norm before, NaN or infinite if one is.

    Waits for the device. A caller that gets a number that is not finite must not take the step: the gradients are useless.
    """
    own = [parameter for parameter in parameters if parameter.grad is not None]
    norm = torch.nn.utils.clip_grad_norm_(own, float("inf") if max_norm is None else max_norm, foreach=True)
    return float(norm)
