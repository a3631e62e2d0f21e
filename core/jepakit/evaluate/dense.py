"""Dense labels, a class for every token: tokens become samples of their own, so that all probes and metrics of classes apply.

Tokens of one sample (or of its group) are never on both sides of a split, and are drawn together when intervals are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any
from zlib import crc32

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from jepakit.contracts import Batch, Features, Layout, Modality, Reader, Sample, Tokenizer
from jepakit.contracts.carriers import MAIN
from jepakit.data.collate import tokenizer_of
from jepakit.errors import DataError
from jepakit.evaluate.features import FeatureSet
from jepakit.evaluate.labels import IGNORE

MOST = 20_000
"""Labelled tokens of one split that are looked at, shared out equally between its samples: bounds memory and time of every probe."""


class TokenLabels(Reader):
    """The samples of another reader, their labels (M,) int64 one a token of the stream that is embedded, -1 = unknown."""

    def __init__(self, inner: Reader, tokenizers: Mapping[str, Tokenizer], modality: Modality) -> None:
        self.inner, self.tokenizers, self.modality = inner, tokenizers, modality

    def __len__(self) -> int:
        return len(self.inner)

    def read(self, index: int) -> Sample:
        sample = self.inner.read(index)
        stream = MAIN if MAIN in sample.streams else next(iter(sample.streams))
        return replace(sample, label=aligned(sample, tokenizer_of(self.tokenizers, stream).layout(sample, stream), self.modality))

    def spec(self) -> Mapping[str, Any]:
        return self.inner.spec()

    def fingerprint(self) -> str:
        return self.inner.fingerprint()


def aligned(sample: Sample, layout: Layout | None, modality: Modality) -> np.ndarray:
    """Labels of the tokens of `layout`, (N,) int64.

    Taken as they are where there is one a token; else as the modality maps them; else, on a grid that divides them, the most frequent
    known class of each cell. DataError where none of these fits.
    """
    label = np.asarray(sample.label)
    if label.dtype.kind not in "iub" or label.ndim == 0:
        raise DataError(f"the dense label of sample '{sample.id}' is no array of whole numbers ({label.dtype}, shape {label.shape}).")
    if layout is None or label.shape in ((len(layout),), layout.grid):
        return label.astype(np.int64).ravel()
    mapped = modality.token_labels(sample, layout)
    found = of_cells(label, layout.grid) if mapped is None else np.asarray(mapped)
    if found is None or found.shape != (len(layout),):
        raise DataError(
            f"the dense label of sample '{sample.id}' has shape {label.shape} for {len(layout)} tokens (grid {layout.grid}); expected one "
            "a token, or an array that the grid divides evenly"
        )
    return found.astype(np.int64)


def of_cells(label: np.ndarray, grid: tuple[int, ...] | None) -> np.ndarray | None:
    """The most frequent known class in each cell of a raster, (product of grid,) int64; None where the grid does not divide the label."""
    if grid is None or label.ndim != len(grid) or any(size % cells for size, cells in zip(label.shape, grid)):
        return None
    axes = [part for size, cells in zip(label.shape, grid) for part in (cells, size // cells)]
    places = range(len(axes))
    cells = label.reshape(axes).transpose(*places[::2], *places[1::2]).reshape(int(np.prod(grid)), -1)
    classes = np.unique(label[label != IGNORE])
    counts = np.stack([(cells == one).sum(1) for one in classes], axis=1) if len(classes) else np.zeros((len(cells), 1), dtype=int)
    return np.where(counts.max(1) > 0, classes[counts.argmax(1)] if len(classes) else IGNORE, IGNORE)


def extract_tokens(embed: Callable[[Batch], Features], batches: Iterable[Batch], *, most: int, seed: int) -> FeatureSet:
    """Features of labelled tokens, at most `most` a sample, drawn by (seed, id of the sample). Memory: one batch beside the result.

    Poolings are "token" (the last layer), "token+mean" (beside the mean of its sample) and "levels:token" (beside the asked blocks).
    Ids are "sample#token"; groups are those of the samples, a sample without one is its own.

    Raises:
        DataError: if a sample has no label, labels and tokens differ in number, or no token has a label.
    """
    parts: dict[str, list[np.ndarray]] = {}
    labels: list[np.ndarray] = []
    groups: list[str] = []
    ids: list[str] = []
    with torch.inference_mode():
        for batch in batches:
            features = embed(batch)
            wanted = _fitting(batch, features)
            rows, places = _drawn(wanted, batch.ids, most, seed)
            for kind, z in _of_tokens(features, torch.from_numpy(rows), torch.from_numpy(places)).items():
                parts.setdefault(kind, []).append(z.float().cpu().numpy())
            labels.append(wanted[rows, places])
            names = [
                f"sample {name}" if group is None else str(group) for name, group in zip(batch.ids, batch.groups or (None,) * len(batch))
            ]
            groups.extend(names[row] for row in rows)
            ids.extend(f"{batch.ids[row]}#{place}" for row, place in zip(rows, places))
    if not ids:
        raise DataError("no token has a label other than -1 (unknown); evaluation of dense labels needs some.")
    whole = {kind: np.concatenate(found) for kind, found in parts.items()}
    return FeatureSet(whole, np.concatenate(labels), np.array(groups), tuple(ids), stated="dense")


def _fitting(batch: Batch, features: Features) -> np.ndarray:
    """Labels (B, N) of a batch, -1 also where a token is padding."""
    if batch.labels is None:
        raise DataError(
            f"a sample between '{batch.ids[0]}' and '{batch.ids[-1]}' has no dense label; give every sample one, of -1 if unknown."
        )
    labels, count = np.asarray(batch.labels, dtype=np.int64), features.last.shape[1]
    if labels.ndim != 2 or (labels[:, count:] != IGNORE).any() or (features.valid is None and labels.shape[1] < count):
        raise DataError(f"samples from '{batch.ids[0]}' on have dense labels {labels.shape} for {count} tokens each; expected one a token.")
    whole = np.pad(labels[:, :count], ((0, 0), (0, max(count - labels.shape[1], 0))), constant_values=IGNORE)
    return whole if features.valid is None else np.where(features.valid.cpu().numpy(), whole, IGNORE)


def _drawn(labels: np.ndarray, ids: tuple[str, ...], most: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and place of the tokens that are kept, int64."""
    rows, places = [], []
    for row, name in enumerate(ids):
        known = np.flatnonzero(labels[row] != IGNORE)
        rng = np.random.Generator(np.random.Philox(key=np.array([seed, crc32(name.encode())], dtype=np.uint64)))
        kept = known if len(known) <= most else np.sort(rng.permutation(known)[:most])
        rows.append(np.full(len(kept), row))
        places.append(kept)
    return np.concatenate(rows).astype(np.int64), np.concatenate(places).astype(np.int64)


def _of_tokens(features: Features, rows: Tensor, places: Tensor) -> dict[str, Tensor]:
    last = features.last.float()
    token = last[rows, places]
    mass = last.new_ones(last.shape[:2]) if features.valid is None else features.valid.float()
    mean = torch.einsum("bnd,bn->bd", torch.where(mass[..., None] > 0, last, 0.0), mass) / mass.sum(1, keepdim=True).clamp_min(1.0)
    found = {"token": token, "token+mean": torch.cat((token, mean[rows]), dim=-1)}
    if features.levels:
        levels = [F.layer_norm(level[rows, places].float(), level.shape[-1:]) for level in features.levels]
        found["levels:token"] = torch.cat((*levels, token), dim=-1)
    return found
