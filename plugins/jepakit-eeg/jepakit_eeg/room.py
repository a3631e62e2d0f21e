"""Room for long recordings: a day of EEG is two gigabytes, and every step of its preparation would hold several times that.

Large signals lie in temporary files that are mapped into memory and vanish with the array; work goes electrode by electrode, or piece by
piece.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable

import numpy as np

LARGE = 256 << 20
"""Bytes above which a signal lies in a file (in TMPDIR)."""
PIECE = 1 << 18
"""Samples that are worked on at a time."""


def room(channels: int, length: int) -> np.ndarray:
    """(C, T) float32, not filled."""
    if 4 * channels * length <= LARGE:
        return np.empty((channels, length), dtype=np.float32)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype=np.float32, mode="w+", shape=(channels, length))


def by_channel(signal: np.ndarray, change: Callable[[np.ndarray, int], np.ndarray]) -> np.ndarray:
    """(C, T) → (C, T') float32. change: (row (1, T), its number) → (1, T')."""
    first = change(signal[:1], 0)
    out = room(len(signal), first.shape[1])
    out[0] = first
    for number in range(1, len(signal)):
        out[number] = change(signal[number : number + 1], number)
    return out


def pieces(length: int) -> list[slice]:
    """Steps 0 to `length` in pieces of `PIECE`."""
    return [slice(start, min(start + PIECE, length)) for start in range(0, length, PIECE)]
