"""Every sample of a data set ranked by how typical a run's encoder finds it: `jepakit score`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from jepakit import checkpoint, disk
from jepakit.build import Parts, build, build_modality
from jepakit.checkpoint import State
from jepakit.config import RunConfig
from jepakit.contracts import Batch
from jepakit.contracts.carriers import to_device
from jepakit.data.loader import eval_batches
from jepakit.density import EXACT_WIDTH, Encode, Scores, estimated_scores, exact_scores
from jepakit.errors import ConfigError
from jepakit.evaluate.run import chosen_backbone
from jepakit.model.backbone import Backbone
from jepakit.plugin_host.host import Host
from jepakit.sources import open_source
from jepakit.train.loop import Emit, pick_device

BATCH = 32
"""Samples at once: the Jacobian of a batch takes BATCH x D x input values, 32 x 192 x 12,288 floats = 300 MB for small colour images."""
FORMATS = (".csv", ".parquet")


@dataclass(frozen=True)
class Ranking:
    """columns id, score, error, rank (1 = least typical first), label where there are some. method: exact or estimated."""

    table: pd.DataFrame
    method: str


def score_run(
    state: State, config: RunConfig, host: Host, data: str, out: Path, *, probes: int | None, limit: int | None, emit: Emit
) -> Ranking:
    """Scores every sample of `data` and writes them to `out` (.csv or .parquet), least typical first.

    Args:
        state: of the checkpoint to score with.
        probes: None = exact for embeddings up to `EXACT_WIDTH`, else 16 random probes; a number = estimate with that many.
        limit: score the first so many samples only.

    Raises:
        ConfigError: if `out` has another ending or exists. DataError: as readers do.
    """
    if out.suffix not in FORMATS:
        raise ConfigError(f"{out}: scores are written as {' or '.join(FORMATS)}, not '{out.suffix}'")
    if out.exists():
        raise ConfigError(f"{out} exists; give another name, or remove it")
    modality = build_modality(config, host)
    reader = open_source(config, modality, data, "train")
    count = min(limit or len(reader), len(reader))
    parts = build(config, host, reader.spec(), modality)
    checkpoint.unpack_module("model", state.tensors, parts.jepa)
    probes = 16 if probes is None and parts.jepa.backbone.encoder.width > EXACT_WIDTH else probes
    rows = []
    batches = islice(eval_batches(reader, BATCH, parts.tokenizers), -(-count // BATCH))
    for done, (batch, found) in enumerate(scored(config, parts, batches, probes), start=1):
        emit({"event": "scores", "sentence": f"{min(count, done * BATCH)} of {count} samples scored"})
        rows.append(pd.DataFrame({"id": batch.ids, "score": found.score.numpy(), "error": found.error.numpy(), "label": listed(batch)}))
    table = pd.concat(rows, ignore_index=True).head(count).sort_values("score", kind="stable", ignore_index=True)
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    disk.replace_file(out, as_bytes(table, out.suffix))
    return Ranking(table, "exact" if probes is None else f"estimated with {probes} probes")


def listed(batch: Batch) -> list[Any]:
    """One label a sample, None where there is none."""
    return [None] * len(batch) if batch.labels is None else [getattr(label, "tolist", lambda own=label: own)() for label in batch.labels]


def as_bytes(table: pd.DataFrame, ending: str) -> bytes:
    """The table as the content of a file."""
    if ending == ".csv":
        return str(table.to_csv(index=False)).encode()
    buffer = BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def scored(config: RunConfig, parts: Parts, batches: Iterator[Batch], probes: int | None) -> Iterator[tuple[Batch, Scores]]:
    """Each batch with its scores, in float32: rounding of bfloat16 would drown the small singular values."""
    device = pick_device(config.train.device)
    backbone = chosen_backbone(config, parts).to(device).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(config.train.seed)
    for batch in batches:
        moved: Batch = to_device(batch, device)
        encode, x = pooled_encoder(backbone, moved)
        with sdpa_kernel(SDPBackend.MATH):  # the estimate differentiates twice, which the fused kernels can't
            found = exact_scores(encode, x) if probes is None else estimated_scores(encode, x, probes=probes, generator=generator)
        yield batch, Scores(found.score.cpu(), found.error.cpu())


def pooled_encoder(backbone: Backbone, batch: Batch) -> tuple[Encode, Tensor]:
    """The mean embedding of the main stream as a function of its continuous values, and those values."""
    name = "main" if "main" in batch.streams else next(iter(batch.streams))
    tokenizer = backbone.tokenizer(name)
    raw = tokenizer.continuous(batch.streams[name])  # type: ignore[operator]  # ModuleDict forgets that it holds tokenizers

    def encode(values: Tensor) -> Tensor:
        features = backbone.encode(tokenizer(replace(raw, values=values)), condition=batch.condition)
        if features.valid is None:
            return features.last.mean(1)
        weight = features.valid[..., None].to(features.last.dtype)
        return (features.last * weight).sum(1) / weight.sum(1).clamp_min(1.0)

    return encode, raw.values
