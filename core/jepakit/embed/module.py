"""The torch face of an encoder: a module from raw values or batches to embeddings, differentiable, ready to be fine-tuned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from jepakit.contracts import Batch, Features, Raw, Sample, Tokenizer
from jepakit.contracts.carriers import MAIN
from jepakit.data.collate import same_layout, tokenizer_of
from jepakit.errors import ContractError, DataError
from jepakit.evaluate.pooling import DEEP, POOLINGS, is_pooling, pool
from jepakit.model.backbone import Backbone

Level = Literal["sample", "token"]


class EncoderModule(nn.Module):
    """Values (B, ...) as the modality stores them → (B, F), or (B, N, D) at token level.

    pooling: a name that `jepakit.evaluate.pooling` knows. Weights train unless frozen by the caller; jepakit hands it over in
    evaluation mode.
    """

    def __init__(self, backbone: Backbone, pooling: str, level: Level = "sample") -> None:
        super().__init__()
        if not is_pooling(pooling):
            raise DataError(f"no pooling named '{pooling}'. There is: {', '.join(POOLINGS)}, grid:4.")
        self.backbone, self.pooling, self.level = backbone, pooling, level
        depth = backbone.encoder.depth
        self.levels = (depth // 2 - 1,) if pooling.startswith(DEEP) and depth > 1 else ()

    @property
    def tokenizers(self) -> dict[str, Tokenizer]:
        """The tokenizers by stream."""
        return {name: part for name, part in self.backbone.tokenizers.items() if isinstance(part, Tokenizer)}

    def features(self, batch: Batch) -> Features:
        """Features of every token of a batch, with the middle block as level where the pooling needs it."""
        return self.backbone.embed(batch, levels=self.levels)

    def pooled(self, features: Features) -> Tensor:
        """(B, F) float32; DataError when these features do not allow the pooling."""
        found = pool(features, (self.pooling,))
        if self.pooling not in found:
            raise DataError(f"pooling '{self.pooling}' is not possible for this encoder and these samples; use 'mean'")
        return found[self.pooling].float()

    def forward(self, values: Tensor | Batch, meta: Mapping[str, Any] | None = None) -> Tensor:
        """Embeddings of values of one size, or of a whole batch.

        Args:
            values: (B, ...) in the dtype of the data, or a `Batch`. meta: what `Sample.meta` would say (rate, channel names).
        """
        batch = values if isinstance(values, Batch) else self.batch(values, meta or {})
        features = self.features(batch)
        return features.last if self.level == "token" else self.pooled(features)

    def batch(self, values: Tensor, meta: Mapping[str, Any]) -> Batch:
        """Values (B, ...) of one stream as a batch, with the layout that the tokenizer gives to arrays of that size."""
        if values.ndim < 2:
            raise ContractError(f"values of shape {tuple(values.shape)} are no batch; the first axis must count samples")
        probe = Sample({MAIN: np.zeros(tuple(values.shape[1:]), dtype=str(values.dtype).removeprefix("torch."))}, id="values", meta=meta)
        layout = tokenizer_of(self.tokenizers, MAIN).layout(probe, MAIN)
        ids = tuple(map(str, range(len(values))))
        if layout is None:
            return Batch({MAIN: Raw(values)}, ids)
        coords, valid, channel = (part.to(values.device) for part in same_layout(layout, len(values)))
        return Batch({MAIN: Raw(values, None, coords, valid, channel, grid=layout.grid if layout.valid.all() else None)}, ids)


def pick(device: str) -> torch.device:
    """The device of that name, "auto" is an accelerator if there is one; DataError when torch has no such device."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:
        raise DataError(f"device '{device}' can't be used: {str(error).splitlines()[0]}; use 'auto' or 'cpu'") from error
    return found
