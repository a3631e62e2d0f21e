"""Layouts of EEG tokens: a row of patches an electrode, placed by time and by where the electrode sits."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from einops import rearrange, reduce, repeat
from torch import Tensor

from jepakit.sdk import DataError, Layout, Raw, Sample

AXES = ("t", "x", "y", "z")
"""Time in patches; right, front and up in units of `PITCH`."""
PITCH = 0.03
"""Metres that count as one step of the coordinates: about the distance of neighbours in the 10-10 system on an adult head."""


def eeg_layout(sample: Sample, stream: str, patch: int, min_valid: float) -> Layout:
    """Tokens electrode by electrode, (C * n,); a patch that is known by less than `min_valid` is none. DataError without positions."""
    series = sample.streams[stream]
    places = np.asarray(sample.meta.get("positions", ()), dtype=np.float32).reshape(-1, 3)
    if len(places) != len(series):
        raise DataError(f"{sample.id}: {len(series)} channels and {len(places)} electrode positions; expected one a channel")
    nowhere = np.flatnonzero(~np.isfinite(places).all(axis=1))
    if len(nowhere):
        name = (sample.meta.get("channels") or [str(row) for row in range(len(series))])[nowhere[0]]
        raise DataError(
            f"{sample.id}: the place of electrode '{name}' is unknown; leave it out with ::keep=A+B, or put positions in the file"
        )
    count = -(-series.shape[1] // patch)
    whole = full_layout(places.tobytes(), count)
    known = np.isfinite(series)
    if series.shape[1] == count * patch and known.all():
        return whole
    padded = np.pad(known, ((0, 0), (0, count * patch - series.shape[1]))).astype(np.float32)
    valid = reduce(padded, "c (n p) -> (c n)", "mean", p=patch) >= min_valid
    if not valid.any():
        raise DataError(f"{sample.id}: no patch of {patch} steps is known by {min_valid:.0%}; set tokenizer.patch lower")
    filled = (len(series), series.shape[1] / patch)
    return Layout(whole.coords, valid, whole.channel, axes=AXES, grid=whole.grid, filled=filled)


@lru_cache(maxsize=256)
def full_layout(places: bytes, count: int) -> Layout:
    """The layout without a gap; the same object for the same electrodes. places: (C, 3) float32 metres as bytes."""
    head = np.frombuffer(places, dtype=np.float32).reshape(-1, 3) / PITCH
    time = np.tile(np.arange(count, dtype=np.float32), len(head))
    coords = np.column_stack((time, repeat(head, "c k -> (c n) k", n=count))).astype(np.float32)
    channel = np.repeat(np.arange(len(head), dtype=np.int16), count)
    return Layout(coords, np.ones(len(coords), dtype=bool), channel, axes=AXES, grid=(len(head), count))


def patches(raw: Raw, patch: int) -> tuple[Tensor, Tensor]:
    """Values (B, C, T) → (B, C, n, patch) float32, zero where missing, and which are known."""
    values = raw.values.float()
    known = values.isfinite()
    if raw.extent is not None:
        steps = torch.arange(values.shape[2], device=values.device)
        known = known & (steps < raw.extent[:, 1, None].to(values.device))[:, None]
    gap = -values.shape[2] % patch
    values = torch.nn.functional.pad(torch.where(known, values, 0.0), (0, gap))
    known = torch.nn.functional.pad(known, (0, gap))
    return rearrange(values, "b c (n p) -> b c n p", p=patch), rearrange(known, "b c (n p) -> b c n p", p=patch)


def packed(x: Tensor, raw: Raw, patch: int) -> Tensor:
    """(B, C, n, D) → (B, N, D) in the order of the layouts, whose rows are as long as each sample has patches."""
    assert raw.coords is not None
    if raw.extent is None:
        return rearrange(x, "b c n d -> b (c n) d")
    out = x.new_zeros(len(x), raw.coords.shape[1], x.shape[-1])
    for row, (channels, length) in enumerate(raw.extent.tolist()):
        count = -(-length // patch)
        out[row, : channels * count] = rearrange(x[row, :channels, :count], "c n d -> (c n) d")
    return out
