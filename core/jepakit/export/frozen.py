"""The encoder of a run as one function of an array of one size: what graph formats can hold."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from jepakit.contracts import Features, Raw, Sample, Tokens
from jepakit.contracts.carriers import MAIN
from jepakit.data.collate import tokenizer_of
from jepakit.embed.module import EncoderModule
from jepakit.errors import JepakitError


@dataclass(frozen=True)
class Example:
    """Samples of one size, at least two: what a graph is traced with, and what every format is compared on."""

    samples: tuple[Sample, ...]

    @property
    def values(self) -> Tensor:
        """(B, ...) in the dtype of the data; JepakitError where samples have several streams, or none called "main"."""
        if set(self.samples[0].streams) != {MAIN}:
            raise JepakitError("a graph takes one array, and these samples have several streams; use --format safetensors")
        return torch.from_numpy(np.stack([sample.streams[MAIN] for sample in self.samples]))


class Frozen(nn.Module):
    """Values (B, ...) of one size → (B, F) float32, or (B, N, D) at token level. B is free, everything else is fixed by `example`.

    Where tokens lie is worked out once, from the example, and kept as buffers.
    """

    coords: Tensor
    channel: Tensor

    def __init__(self, module: EncoderModule, example: Sample) -> None:
        super().__init__()
        layout = tokenizer_of(module.tokenizers, MAIN).layout(example, MAIN)
        if layout is None or not layout.valid.all():
            raise JepakitError("where the tokens of this data lie depends on the values, which no graph can hold; use --format safetensors")
        self.inner, self.grid = module, layout.grid
        self.register_buffer("coords", torch.from_numpy(np.asarray(layout.coords, np.float32))[None].clone())
        self.register_buffer("channel", torch.from_numpy(np.asarray(layout.channel, np.int16))[None].clone())

    def forward(self, values: Tensor) -> Tensor:
        """Embeddings of a batch of values in the dtype of the data."""
        rows, places = values.shape[0], self.coords.shape[1]
        valid = torch.ones(rows, places, dtype=torch.bool, device=values.device)
        raw = Raw(values, None, self.coords.expand(rows, -1, -1), valid, self.channel.expand(rows, -1), grid=self.grid)
        backbone = self.inner.backbone
        tokens: Tokens = backbone.tokenizer(MAIN)(raw)
        features: Features = backbone.encoder(
            tokens.x,
            tokens.coords,
            None,
            channel=tokens.channel,
            prefix=tokens.prefix,
            levels=self.inner.levels,
            grid=tokens.grid,
        )
        features = replace(features, coords=tokens.coords, tokens=tokens.x)
        return features.last.float() if self.inner.level == "token" else self.inner.pooled(features)
