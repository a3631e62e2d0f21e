"""What a source may ask to be done with recordings, in this order: choice of electrodes, band-pass, resampling, alignment,
whitening, scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from jepakit.sdk import DataError
from jepakit_eeg.alignment import aligned
from jepakit_eeg.options import EegOptions
from jepakit_eeg.reader import Recording
from jepakit_eeg.room import by_channel
from jepakit_eeg.whitening import whitened
from jepakit_modalities.timeseries.recordings import at_rate, bridged


def prepared(recordings: Sequence[Recording], options: EegOptions) -> list[Recording]:
    """All that the options say, nothing else."""
    out = [chosen(one, options.keep) for one in recordings] if options.keep else list(recordings)
    if options.band is not None:
        out = [replace(one, signal=band_passed(one, *options.band)) for one in out]
    if options.rate is not None:
        out = [at_another_rate(one, options.rate) for one in out]
    if options.align != "none":
        out = aligned(out, options.align)
    if options.whiten:
        out = whitened(out)
    return standardised(out) if options.standardise else out


def chosen(recording: Recording, names: Sequence[str]) -> Recording:
    """Only these electrodes, in this order, in whatever order the file has them."""
    missing = [name for name in names if name not in recording.channels]
    if missing:
        raise DataError(f"{recording.name}: there is no electrode '{missing[0]}'; there is {', '.join(recording.channels)}")
    rows = [recording.channels.index(name) for name in names]
    return replace(recording, signal=recording.signal[rows], channels=tuple(names), positions=recording.positions[rows])


def band_passed(recording: Recording, low: float, high: float) -> np.ndarray:
    """(C, T), zero phase; missing values are bridged for the filter and missing again after it."""
    from scipy.signal import butter, sosfiltfilt

    if not 0 < low < high < recording.rate_hz / 2:
        raise DataError(f"band={low:g}:{high:g}: expected 0 < low < high < {recording.rate_hz / 2:g} Hz, half the rate")
    sections = butter(4, (low, high), "bandpass", fs=recording.rate_hz, output="sos")
    if recording.signal.shape[1] <= 3 * (2 * len(sections) + 1):
        raise DataError(f"{recording.name}: {recording.signal.shape[1]} samples are too few to filter; leave out ::band")
    return by_channel(recording.signal, lambda row, _: np.where(np.isfinite(row), sosfiltfilt(sections, bridged(row), axis=1), np.nan))


def at_another_rate(recording: Recording, rate: float) -> Recording:
    """Every electrode resampled."""
    return replace(recording, signal=by_channel(recording.signal, lambda row, _: at_rate(row, recording.rate_hz, rate)), rate_hz=rate)


def standardised(recordings: Sequence[Recording]) -> list[Recording]:
    """Every electrode minus its mean, over its spread, both over all samples of its subject; by name, so montages may differ."""
    sums: dict[tuple[str, str], Any] = {}
    for one in recordings:
        for name, row in zip(one.channels, one.signal):
            known = row[np.isfinite(row)].astype(np.float64)
            part = np.array([len(known), known.sum(), np.square(known).sum()])
            sums[one.group, name] = part + sums.get((one.group, name), 0.0)
    out = []
    for one in recordings:
        count, total, square = np.array([sums[one.group, name] for name in one.channels]).T[..., None]
        mean = total / np.maximum(count, 1)
        spread = np.maximum(np.sqrt(np.maximum(square / np.maximum(count, 1) - mean**2, 0.0)), 1e-12)
        out.append(replace(one, signal=scaled(one.signal, mean, spread), units="1"))
    return out


def scaled(signal: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """(C, T) minus mean (C, 1), over spread (C, 1)."""
    return by_channel(signal, lambda row, number: (row - mean[number]) / spread[number])
