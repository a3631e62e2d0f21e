"""What travels between the rooms: frozen dataclasses without behaviour beyond moving to a device.

Letters: B batch, N tokens, n selected tokens, K coordinate axes, D width, C channels, P prefix tokens.
Every boolean mask is **True = valid / visible**. A padded index is 0 with `valid` False, never -1.

Two forms of the same thing: `Sample`, `Layout` and the plans that maskers return describe one sample and hold numpy arrays
(made on the CPU, in data workers); `Raw`, `Tokens`, `IndexSet`, `Batch` describe a batch and hold tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

MAIN = "main"
"""The name of the stream of a sample that has only one."""
ASIDE = "aside/"
"""Starts the name of a stream that is carried along without becoming tokens: what a fixed target made of the sample, once."""


@dataclass(frozen=True)
class Sample:
    """One thing that was recorded: an image, a heartbeat strip, a row of a table.

    streams: name → array; a single stream is called "main". The axes of each array are fixed by its modality
        (image: (C, H, W)); dtype as stored in the file, never scaled silently.
    id: unique within its reader, stable across runs; masks and augmentations are keyed by it.
    label: int (class), float or 1-D float array (regression, forecast), 1-D 0/1 array (multilabel), 1-D int array (dense: a class
        for every token of the layout, -1 = unknown), or None. `Reader.spec` says which, under "label_kind".
    group: subject, patient, tile: never on both sides of a split. None when unknown.
    meta: rate_hz, channel names, units, and what else the reader knows; "facts", a 1-D float array, are numbers that an evaluation
        puts beside the features of every row (the interval between heart beats).
    """

    streams: Mapping[str, np.ndarray]
    id: str
    label: Any = None
    group: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """Where the tokens of one stream of one sample lie, known before anything is embedded.

    coords: (N, K) float32 in the units named by `axes`. valid: (N,) bool. channel: (N,) int16 (lead, electrode, column, sensor).
    grid: sizes of the dense grid in raster order, whose product is N, or None. order: (N,) int64, a locality order, or None.
    axes: one name an axis, e.g. ("y", "x") or ("t",).
    filled: how many cells the data fill along each axis of the grid where they end within the last one, e.g. (12, 1.02), for pictures;
    None: all of them.
    """

    coords: np.ndarray
    valid: np.ndarray
    channel: np.ndarray
    axes: tuple[str, ...]
    grid: tuple[int, ...] | None = None
    order: np.ndarray | None = None
    filled: tuple[float, ...] | None = None

    def __len__(self) -> int:
        return len(self.coords)


@dataclass(frozen=True)
class Raw:
    """One stream of a batch before tokenisation.

    values: (B, ...) the samples' arrays stacked, zero-padded at the end of each axis to the largest.
    extent: (B, number of array axes) int64, each sample's true sizes; None when all fill `values`.
    coords, valid, channel, grid, order: the batched `Layout` (B, N, ...), None for a tokenizer that has no layout on the CPU.
    """

    values: Tensor
    extent: Tensor | None = None
    coords: Tensor | None = None
    valid: Tensor | None = None
    channel: Tensor | None = None
    grid: tuple[int, ...] | None = None
    order: Tensor | None = None


@dataclass(frozen=True)
class Tokens:
    """One stream of a batch after tokenisation.

    x: (B, N, D) content, no position added. coords: (B, N, K) float32, physical units. valid: (B, N) bool.
    channel: (B, N) int16 or int64. grid: as in `Layout`, only when every sample is complete. order: (B, N) int64 or None.
    prefix: (B, P, D) tokens without a position (class token), never masked, never predicted; or None.
    """

    x: Tensor
    coords: Tensor
    valid: Tensor
    channel: Tensor
    grid: tuple[int, ...] | None = None
    order: Tensor | None = None
    prefix: Tensor | None = None


@dataclass(frozen=True)
class IndexSet:
    """A choice of tokens per sample. idx: (B, n) int64. valid: (B, n) bool. weight: (B, n) float32 or None (all one).

    In a plan for one sample, as maskers return it, the same fields hold numpy arrays without the batch axis: idx (n,).
    `dense` says that every entry is valid, known without looking at the device.
    """

    idx: Any
    valid: Any = None
    weight: Any = None
    dense: bool = False


@dataclass(frozen=True)
class Context:
    """Positions that the context encoder may see, in `stream`."""

    positions: IndexSet
    stream: str = MAIN


@dataclass(frozen=True)
class Query:
    """Positions whose target embedding is predicted from context number `context`.

    stream: where the targets lie. kind: id of the mask type, reaches the predictor. stage: order of prediction, 0 first.
    """

    positions: IndexSet
    context: int = 0
    stream: str = MAIN
    kind: int = 0
    stage: int = 0


@dataclass(frozen=True)
class MaskPlan:
    """What is seen and what is predicted: of one sample (from a masker) or of a batch (after collation).

    info: numbers worth logging, e.g. {"context_ratio": .4, "truncated": .1}; averaged over the batch by collation.
    dense: queries ask, on purpose, for tokens that their context shows too (a loss on visible tokens as well).
    """

    contexts: tuple[Context, ...]
    queries: tuple[Query, ...] = ()
    dense: bool = False
    info: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Condition:
    """What a prediction is made under: augmentation parameters, actions, instrument, class, noise level.

    vec: (B, C). tokens: (B, M, C). per_query: (B, n, C). Each may be None.
    """

    vec: Tensor | None = None
    tokens: Tensor | None = None
    per_query: Tensor | None = None


@dataclass(frozen=True)
class Features:
    """What an encoder returns for n tokens a row.

    last: (R, n, D), after the final norm. levels: outputs of the asked blocks, (R, n, D) each, un-normed.
    prefix: (R, P, D) or None. valid: (R, n) bool or None when all are. pooled: (R, D) or None.
    coords: (R, n, K), tokens: (R, n, D), or None; an encoder leaves them, `Backbone.embed` puts them there for poolings that ask where a
    token lies and what it was when it entered.
    """

    last: Tensor
    levels: tuple[Tensor, ...] = ()
    prefix: Tensor | None = None
    valid: Tensor | None = None
    pooled: Tensor | None = None
    coords: Tensor | None = None
    tokens: Tensor | None = None


@dataclass(frozen=True)
class Batch:
    """One batch as the step takes it: raw streams, plan, identities."""

    streams: Mapping[str, Raw]
    ids: tuple[str, ...]
    plan: MaskPlan | None = None
    condition: Condition | None = None
    labels: Any = None
    groups: tuple[str | None, ...] = ()
    layouts: tuple[Mapping[str, Layout | None], ...] = ()

    def __len__(self) -> int:
        return len(self.ids)


def to_device(value: Any, device: torch.device) -> Any:
    """The same carrier with every tensor on `device`; anything that is no tensor stays as it is."""
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, tuple):
        return tuple(to_device(item, device) for item in value)
    if isinstance(value, dict):
        return {key: to_device(item, device) for key, item in value.items()}
    if isinstance(value, (Raw, Tokens, IndexSet, Context, Query, MaskPlan, Condition, Batch)):
        return replace(value, **{name: to_device(item, device) for name, item in vars(value).items()})
    return value
