"""The plan of a batch, when the masker could not make it in the data worker: on the device, after tokens or targets are known."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

from jepakit.config import RunConfig
from jepakit.contracts import ASIDE, Batch, Layout, Masker, MaskPlan, MaskRequest, Tokens
from jepakit.contracts.carriers import to_device
from jepakit.data.collate import batch_plans
from jepakit.data.stream import sample_rng, step_rng
from jepakit.errors import ContractError
from jepakit.jepa import Jepa


class HasMasker(Protocol):
    """What is needed of the parts of a run."""

    @property
    def masker(self) -> Masker: ...
    @property
    def jepa(self) -> Jepa: ...


def plan_of(batch: Batch, parts: HasMasker, config: RunConfig, step: int, progress: float) -> MaskPlan:
    """The plan that came with the batch, or one made now from the coordinates of its tokens (and the target features as hints)."""
    if batch.plan is not None:
        return batch.plan
    with torch.no_grad():
        tokens = parts.jepa.backbone.tokens({name: raw for name, raw in batch.streams.items() if not name.startswith(ASIDE)})
        hints = target_hints(parts.jepa, batch, tokens) if parts.masker.phase == "teacher" else {}
    seed = config.train.seed
    plans = []
    for row, name in enumerate(batch.ids):
        request = MaskRequest(
            rng=sample_rng(seed, step, name, "mask"),
            shared=step_rng(seed, step, "mask"),
            progress=progress,
            hints=[hint[row] for hint in hints.values()],
        )
        plans.append(parts.masker({stream: layout_of(part, row) for stream, part in tokens.items()}, request))
    made = batch_plans(plans, config.data.collate, step_rng(seed, step, "collate"))
    plan: MaskPlan = to_device(made, next(iter(tokens.values())).x.device)
    return plan


def target_hints(jepa: Jepa, batch: Batch, tokens: dict[str, Tokens]) -> dict[str, np.ndarray]:
    """Target features by stream, (B, N, Dt) float32 arrays."""
    if jepa.target is None:
        raise ContractError("the masker wants target features but the recipe has no target; name one, or use another masker")
    found = jepa.target(batch.streams, tokens, jepa.backbone, sorted(tokens))
    return {name: value.float().cpu().numpy() for name, value in found.items()}


def layout_of(tokens: Tokens, row: int) -> Layout:
    """Where the tokens of one sample lie, as maskers want it."""
    return Layout(
        coords=tokens.coords[row].float().cpu().numpy(),
        valid=tokens.valid[row].cpu().numpy(),
        channel=tokens.channel[row].cpu().numpy(),
        axes=tuple(f"axis{number}" for number in range(tokens.coords.shape[-1])),
        grid=tokens.grid,
        order=None if tokens.order is None else tokens.order[row].cpu().numpy(),
    )
