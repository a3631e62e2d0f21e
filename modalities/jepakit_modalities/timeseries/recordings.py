"""Recordings in memory, and what a source may ask to be done with them: windows, single channels, resampling. Nothing happens unasked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jepakit.sdk import DataError


@dataclass(frozen=True)
class Recordings:
    """Series of one source. arrays: (C, T) float32 each, T may differ, NaN = missing. ids: unique, one a series.

    labels: class, number or array, one a series. groups: subject or patient. rate_hz: samples a second, None when unknown.
    channel_names, units: one a channel. centred: labels are futures minus the mean of what came before.
    """

    arrays: Sequence[np.ndarray]
    ids: Sequence[str]
    labels: Sequence[Any] | None = None
    groups: Sequence[str] | None = None
    class_names: tuple[str, ...] | None = None
    rate_hz: float | None = None
    channel_names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    centred: bool = False

    def __len__(self) -> int:
        return len(self.arrays)


def trimmed(series: np.ndarray) -> np.ndarray:
    """Without the steps at the end at which every channel is missing: the padding of ragged sets."""
    known = np.flatnonzero(np.isfinite(series).any(axis=0))
    return series[:, : known[-1] + 1] if len(known) else series[:, :1]


def chosen(found: Recordings, names: Sequence[str]) -> Recordings:
    """Only these channels, in this order."""
    missing = [name for name in names if name not in found.channel_names]
    if missing:
        raise DataError(f"there is no channel '{missing[0]}'; there is {', '.join(found.channel_names) or 'none with a name'}")
    rows = [found.channel_names.index(name) for name in names]
    units = tuple(found.units[row] for row in rows) if found.units else ()
    return replace(found, arrays=[array[rows] for array in found.arrays], channel_names=tuple(names), units=units)


def univariate(found: Recordings) -> Recordings:
    """Every channel a series of its own, in the group of its recording."""
    places = [(number, row) for number, array in enumerate(found.arrays) for row in range(len(array))]
    return replace(
        found,
        arrays=[found.arrays[number][row : row + 1] for number, row in places],
        ids=[f"{found.ids[number]}/{row}" for number, row in places],
        labels=None if found.labels is None else [found.labels[number] for number, _ in places],
        groups=[found.ids[number] if found.groups is None else found.groups[number] for number, _ in places],
        channel_names=(),
        units=(),
    )


def resampled(found: Recordings, *, rate: float | None, length: int | None) -> Recordings:
    """To a rate (polyphase filter) or to a number of steps (linear), because the source said so."""
    if rate is not None:
        if found.rate_hz is None:
            raise DataError(f"rate={rate:g}: the source doesn't say its own rate; add sfreq to it, or use length=STEPS")
        found = replace(found, arrays=[at_rate(array, found.rate_hz, rate) for array in found.arrays], rate_hz=rate)
    if length is not None:
        found = replace(found, arrays=[stretched(array, length) for array in found.arrays], rate_hz=None)
    return found


def at_rate(series: np.ndarray, have: float, want: float) -> np.ndarray:
    """(C, T) at another rate; missing values are bridged for the filter and missing again after it."""
    from fractions import Fraction

    from scipy.signal import resample_poly

    ratio = Fraction(want / have).limit_denominator(1000)
    if ratio == 1:
        return series
    out = resample_poly(bridged(series), ratio.numerator, ratio.denominator, axis=1, padtype="line").astype(np.float32)
    source = np.minimum((np.arange(out.shape[1]) * have / want).round().astype(int), series.shape[1] - 1)
    out[np.isnan(series[:, source])] = np.nan
    return out


def stretched(series: np.ndarray, length: int) -> np.ndarray:
    """(C, T) at `length` evenly spaced steps by linear interpolation; a point between missing ones is missing."""
    if series.shape[1] == length:
        return series
    place = np.linspace(0, series.shape[1] - 1, length)
    low = np.floor(place).astype(int)
    high, share = np.minimum(low + 1, series.shape[1] - 1), (place - low).astype(np.float32)
    return np.where(share > 0, series[:, low] * (1 - share) + series[:, high] * share, series[:, low]).astype(np.float32)


def bridged(series: np.ndarray) -> np.ndarray:
    """(C, T) with missing values on a straight line between known neighbours; a channel without any is zero."""
    known = np.isfinite(series)
    if known.all():
        return series
    out, steps = np.zeros_like(series), np.arange(series.shape[1])
    for row, here in enumerate(known):
        if here.any():
            out[row] = np.interp(steps, steps[here], series[row, here])
    return out


def scaled(found: Recordings, start: int, stop: int) -> Recordings:
    """Every channel standardised by the mean and spread of these steps of each recording: those of the training part."""
    arrays = []
    for array in found.arrays:
        part = array[:, start:stop]
        if not part.size:
            raise DataError(f"scaler={start}:{stop}: a recording of {array.shape[1]} steps holds none of them")
        spread = np.maximum(np.nanstd(part, axis=1, keepdims=True), 1e-8)
        arrays.append(((array - np.nanmean(part, axis=1, keepdims=True)) / spread).astype(np.float32))
    return replace(found, arrays=arrays)


def windowed(
    found: Recordings, window: int, stride: int, horizon: int, rows: tuple[int, int] | None, *, by_stretch: bool = False
) -> Recordings:
    """Pieces of `window` steps; with a horizon, the label is the future after each, minus the mean of the piece, flattened.

    rows: first and last step of the futures (of the pieces, without a horizon). The past of a future may lie before them, as usual
    for long-horizon forecasting. by_stretch: the group of a piece is the stretch of window + horizon steps that it begins in, since
    pieces that overlap say nearly the same: cross-validation that parted them would choose penalties that are too small, and
    intervals that took them for independent would be too narrow. Views, no copies.
    """
    arrays: list[np.ndarray] = []
    ids: list[str] = []
    labels: list[Any] = []
    groups: list[str] = []
    for number, array in enumerate(found.arrays):
        first, last = rows or (0, array.shape[1])
        start = max(0, first - window) if horizon and rows else first
        for begin in range(start, min(last, array.shape[1]) - window - horizon + 1, stride):
            piece = array[:, begin : begin + window]
            arrays.append(piece)
            ids.append(f"{found.ids[number]}@{begin}")
            group = found.ids[number] if found.groups is None else found.groups[number]
            groups.append(f"{group}@{begin // (window + horizon)}" if by_stretch else group)
            if horizon:
                future = array[:, begin + window : begin + window + horizon]
                labels.append((future - np.nanmean(piece, axis=1, keepdims=True)).astype(np.float64).ravel())
            elif found.labels is not None:
                labels.append(found.labels[number])
    if not arrays:
        raise DataError(f"no series holds a window of {window} steps with a horizon of {horizon}; set window lower")
    return replace(found, arrays=arrays, ids=ids, labels=labels or None, groups=groups, centred=bool(horizon))
