"""Layouts and patches on regular grids with any number of axes: what most tokenizers need and nobody should write twice."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from einops import rearrange
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from jepakit.contracts.carriers import Layout
from jepakit.errors import ContractError, DataError

LETTERS = "tuvwxyz"
"""Names of grid axes inside patterns; seven are enough for any recording."""


@lru_cache(maxsize=256)
def grid_layout(sizes: tuple[int, ...], axes: tuple[str, ...], spacing: tuple[float, ...] = (), channel_axis: str = "") -> Layout:
    """The layout of a full grid in raster order, all tokens valid; the same object for the same arguments.

    Args:
        sizes: tokens along each axis, e.g. (4, 25). axes: their names, e.g. ("lead", "t").
        spacing: distance of neighbours along each axis in physical units (seconds, metres); one everywhere when left out.
        channel_axis: the axis whose number becomes the `channel` of a token (lead, electrode, sensor); "" gives channel 0.

    Raises:
        DataError: an axis holds no token. ContractError: `sizes`, `axes` and `spacing` do not fit together.
    """
    if len(sizes) != len(axes) or (spacing and len(spacing) != len(axes)) or (channel_axis and channel_axis not in axes):
        raise ContractError(f"a grid of sizes {sizes} needs {len(sizes)} axes and as many spacings, got {axes} and {spacing}")
    if min(sizes) < 1:
        raise DataError(f"the sample holds no token: {dict(zip(axes, sizes))}; choose smaller patches or longer samples")
    place = rearrange(np.indices(sizes), "k ... -> (...) k")
    channel = place[:, axes.index(channel_axis)] if channel_axis else np.zeros(len(place))
    scale = np.asarray(spacing or (1.0,) * len(sizes), dtype=np.float32)
    coords = np.ascontiguousarray(place.astype(np.float32) * scale)
    return Layout(coords, np.ones(len(place), dtype=bool), channel.astype(np.int16), axes, grid=tuple(sizes))


def patch_counts(shape: Sequence[int], patch: Sequence[int]) -> tuple[int, ...]:
    """How many whole patches fit along each of the last axes of an array."""
    return tuple(size // side for size, side in zip(shape[-len(patch) :], patch))


def patchify(values: Tensor, patch: Sequence[int], extent: Tensor | None = None) -> Tensor:
    """(B, C, *sizes) → (B, N, C * prod(patch)): patches in the order of `grid_layout(patch_counts(sizes, patch), ...)`.

    What is left over at the end of an axis is cut off. `patch` has one side an axis of `sizes`. extent: (B, 1 + axes) true sizes,
    behind the channels, of samples that were padded to one size (`Raw.extent`): each is cut by itself, with zeros behind its last patch.
    """
    if extent is not None:
        whole = [row[(..., *map(slice, sizes[1:]))] for row, sizes in zip(values, extent.tolist())]
        return pad_sequence([patchify(one[None], patch)[0] for one in whole], batch_first=True)
    counts = patch_counts(values.shape, patch)
    cut: tuple[Any, ...] = (..., *(slice(count * side) for count, side in zip(counts, patch)))
    outer, inner = LETTERS[: len(patch)], [f"{letter}1" for letter in LETTERS[: len(patch)]]
    split = " ".join(f"({a} {b})" for a, b in zip(outer, inner))
    return rearrange(values[cut], f"b c {split} -> b ({' '.join(outer)}) (c {' '.join(inner)})", **dict(zip(inner, patch)))
