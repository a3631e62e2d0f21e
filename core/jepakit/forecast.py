"""What a run would be, before it is one: tokens, parameters, steps, memory."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from jepakit import precision
from jepakit.build import Parts
from jepakit.config import RunConfig
from jepakit.contracts import Batch, IndexSet, Reader
from jepakit.data.loader import batches
from jepakit.data.stream import GlobalStream
from jepakit.train.loop import pick_device

OPTIMIZER_BYTES = 4 + 4 + 8
"""Of a trained float32 weight: itself, its gradient, two moments of AdamW."""
BLOCK_VALUES = 34
"""Activations that a transformer block keeps a token, in units of its width: Korthikanti et al. (arXiv 2205.05198), section 4.1, in
bytes for 16-bit numbers; attention scores come on top."""


@dataclass(frozen=True)
class Plan:
    """The forecast of a run. Token counts are means over one real batch; None where positions are known only on the device."""

    recipe: str
    modality: str
    samples: int
    batch: int
    steps: int | None
    minutes: float | None
    samples_seen: int | None
    epochs: float | None
    tokens: float | None
    context_tokens: float | None
    query_tokens: float | None
    parameters: dict[str, int]
    precision: str
    device: str
    memory_mib: int

    def to_json(self) -> dict[str, Any]:
        """All numbers by name."""
        return asdict(self)

    def lines(self) -> list[str]:
        """What a person reads."""
        length = (
            f"{self.minutes:g} minutes"
            if self.minutes
            else f"{self.steps:,} steps, {self.samples_seen:,} samples, {self.epochs:,.1f} epochs"
        )
        tokens = "known on the device only"
        if self.tokens is not None:
            tokens = f"{self.tokens:,.0f} a sample: {self.context_tokens:,.1f} seen, {self.query_tokens:,.1f} predicted"
        weights = ", ".join(f"{name} {count:,}" for name, count in self.parameters.items())
        return [
            f"recipe      {self.recipe} ({self.modality})",
            f"data        {self.samples:,} {'sample' if self.samples == 1 else 'samples'}, batches of {self.batch}",
            f"length      {length}",
            f"tokens      {tokens}",
            f"parameters  {weights}",
            f"runs on     {self.device} in {self.precision}, about {self.memory_mib:,} MiB",
            *(f"note        {sentence}" for sentence in repeats(self.samples, self.batch)),
        ]


def repeats(samples: int, batch: int) -> list[str]:
    """A sentence where samples are fewer than a batch, whose statistics and comparisons are then of copies; else none."""
    if samples >= batch:
        return []
    held = "1 sample" if samples == 1 else f"{samples:,} samples"
    return [f"the data hold {held}, fewer than a batch of {batch}, which repeats them; give more or shorter ones, or set data.batch lower"]


def forecast(config: RunConfig, parts: Parts, reader: Reader) -> Plan:
    """Collates the first batch and counts; nothing is trained and nothing is written."""
    batch = first_batch(config, parts, reader)
    device = pick_device(config.train.device)
    steps = config.train.steps
    plan = batch.plan
    tokens = None if plan is None else mean_tokens(batch)
    seen = None if plan is None else sum(mean_length(part.positions) for part in plan.contexts)
    asked = None if plan is None else sum(mean_length(part.positions) for part in plan.queries)
    return Plan(
        recipe=config.recipe,
        modality=config.modality,
        samples=len(reader),
        batch=config.data.batch,
        steps=steps,
        minutes=config.train.minutes,
        samples_seen=None if steps is None else steps * config.data.batch,
        epochs=None if steps is None else steps * config.data.batch / len(reader),
        tokens=tokens,
        context_tokens=seen,
        query_tokens=asked,
        parameters=counted(parts),
        precision=precision.resolve(config.train.precision, device),
        device=str(device),
        memory_mib=memory(config, parts, tokens or 0.0, seen or 0.0, asked or 0.0),
    )


def first_batch(config: RunConfig, parts: Parts, reader: Reader) -> Batch:
    """One micro-batch as training would see it first."""
    size = min(config.data.batch // config.train.accumulate, len(reader))
    return next(
        batches(
            reader,
            stream=GlobalStream(len(reader), size, config.train.seed),
            start_step=0,
            view=parts.view,
            tokenizers=parts.tokenizers,
            masker=parts.masker,
            collate_mode=config.data.collate,
            seed=config.train.seed,
        )
    )


def mean_tokens(batch: Batch) -> float:
    """Valid tokens a sample, over all streams."""
    return sum(float(raw.valid.sum()) / len(batch) for raw in batch.streams.values() if raw.valid is not None)


def mean_length(positions: IndexSet) -> float:
    """Valid entries a sample."""
    return float(positions.idx.shape[1]) if positions.valid is None else float(positions.valid.float().sum(1).mean())


def counted(parts: Parts) -> dict[str, int]:
    """Weights by part; those of the target are not trained."""
    jepa = parts.jepa
    modules: dict[str, nn.Module | None] = {"encoder": jepa.backbone, "predictor": jepa.predictor, "target": jepa.target}
    return {name: sum(weight.numel() for weight in module.parameters()) for name, module in modules.items() if module is not None}


def memory(config: RunConfig, parts: Parts, tokens: float, seen: float, asked: float) -> int:
    """MiB, roughly: weights with optimiser, target weights, activations kept for the backward pass, torch itself."""
    trained = sum(weight.numel() for weight in parts.jepa.parameters() if weight.requires_grad)
    frozen = sum(weight.numel() for weight in parts.jepa.parameters() if not weight.requires_grad)
    width, depth = parts.jepa.backbone.encoder.width, parts.jepa.backbone.encoder.depth
    micro = config.data.batch // config.train.accumulate
    wide = 2 if precision.resolve(config.train.precision, pick_device(config.train.device)) == "float32" else 1
    kept = micro * seen * width * depth * BLOCK_VALUES * wide + micro * (seen + asked) * width * depth * BLOCK_VALUES * wide / 4
    passing = 8 * micro * tokens * width * 4
    base = 250 << 20 if not torch.cuda.is_available() else 500 << 20
    return round((base + trained * OPTIMIZER_BYTES + frozen * 4 + kept + passing) / (1 << 20))
