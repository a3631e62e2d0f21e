"""Samples → rows of embeddings with the identity of each, batch by batch; what the Python call and the command both run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from jepakit import precision
from jepakit.contracts import Batch, Features, Reader, Sample
from jepakit.contracts.carriers import to_device
from jepakit.data.collate import collate, prepare
from jepakit.data.loader import read
from jepakit.data.stream import keyed_rng
from jepakit.embed.module import EncoderModule
from jepakit.errors import DataError


@dataclass(frozen=True)
class SampleRows:
    """The embeddings of one sample.

    z: (1, F) float32 at sample level, (n, D) at token level, padding left out. coords: (n, K) float32 and channel: (n,) int64 of
    the tokens, None at sample level.
    """

    id: str
    label: Any
    group: str | None
    z: np.ndarray
    coords: np.ndarray | None = None
    channel: np.ndarray | None = None


@dataclass(frozen=True)
class Running:
    """A module where and how it runs: device and number format (not "auto"), samples a batch."""

    module: EncoderModule
    device: torch.device
    number_format: precision.Precision
    batch: int

    def rows(self, reader: Reader, start: int = 0, stop: int | None = None) -> Iterator[SampleRows]:
        """Embeddings of samples start … stop - 1, in order. Memory: one batch."""
        end = len(reader) if stop is None else min(stop, len(reader))
        for first in range(start, end, self.batch):
            samples = [read(reader, index) for index in range(first, min(first + self.batch, end))]
            yield from self._embed(samples)

    def _embed(self, samples: list[Sample]) -> Iterator[SampleRows]:
        batch = batch_of(samples, self.module)
        with torch.inference_mode():
            features: Features = precision.run(_Features(self.module), self.number_format, to_device(batch, self.device))
            sample_level = self.module.level == "sample"
            z = (self.module.pooled(features) if sample_level else features.last.float()).cpu().numpy()
            keep = None if features.valid is None else features.valid.cpu().numpy()
        for row, sample in enumerate(samples):
            if not np.isfinite(z[row] if sample_level or keep is None else z[row][keep[row]]).all():
                raise DataError(f"the embedding of sample '{sample.id}' is not finite; look at the sample and the weights")
            if sample_level:
                yield SampleRows(sample.id, sample.label, sample.group, z[row : row + 1])
            else:
                yield tokens_of(sample, z[row], None if keep is None else keep[row], batch, row)


class _Features(torch.nn.Module):
    """`EncoderModule.features` as a module's forward, so that it can run in any number format."""

    def __init__(self, module: EncoderModule) -> None:
        super().__init__()
        self.module = module

    def forward(self, batch: Batch) -> Features:
        return self.module.features(batch)


def batch_of(samples: list[Sample], module: EncoderModule) -> Batch:
    """Samples as one batch, unmasked and unaugmented. Labels stay outside: they may be missing, or differ in shape."""
    rng = keyed_rng("embed")
    made = [
        prepare(
            replace(sample, label=None),
            view=None,
            tokenizers=module.tokenizers,
            masker=None,
            view_rng=rng,
            mask_rng=rng,
            shared_rng=rng,
            progress=1.0,
        )
        for sample in samples
    ]
    return collate(made, "pad", rng)


def tokens_of(sample: Sample, z: np.ndarray, keep: np.ndarray | None, batch: Batch, row: int) -> SampleRows:
    """The valid tokens of one sample, with their places where the layout is known on the CPU."""
    raw = batch.streams["main" if "main" in batch.streams else next(iter(batch.streams))]
    keep = np.ones(len(z), dtype=bool) if keep is None else keep
    if raw.coords is None or raw.channel is None:
        return SampleRows(sample.id, sample.label, sample.group, z[keep])
    coords, channel = raw.coords[row].numpy()[keep], raw.channel[row].numpy()[keep].astype(np.int64)
    return SampleRows(sample.id, sample.label, sample.group, z[keep], coords, channel)
