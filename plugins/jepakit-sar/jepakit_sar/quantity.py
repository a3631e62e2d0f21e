"""What the numbers of a radar image mean, and how they become linear amplitude."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from jepakit.sdk import DataError

Quantity = Literal["amplitude", "intensity", "complex", "db"]
QUANTITIES: tuple[str, ...] = get_args(Quantity)
BRIGHT = 99.9
"""Percentile of the amplitude that counts as full scale where the format has none: the brightest scatterers are left above it."""


def amplitude(values: np.ndarray, quantity: str, nodata: float | None = None) -> np.ndarray:
    """(C, H, W) as stored → linear amplitude: integers and float32 as they are, NaN for what is no data.

    quantity: "amplitude" stays; of "intensity" the root is taken, of "complex" the modulus; "db" is 20 log10 of the amplitude, which is
    10 log10 of the intensity. nodata: the value that stands for no data.

    Raises:
        DataError: negative amplitudes or intensities.
    """
    missing = None if nodata is None or np.isnan(nodata) else values == nodata
    if quantity == "complex" or values.dtype.kind == "c":
        out = np.abs(values).astype(np.float32)
    elif quantity == "db":
        out = np.power(10.0, values.astype(np.float32) / 20.0)
    elif quantity == "intensity":
        out = np.sqrt(not_negative(values.astype(np.float32), quantity, missing))
    else:
        out = values if values.dtype in (np.uint8, np.uint16) else not_negative(values.astype(np.float32), quantity, missing)
    if missing is not None:
        out = np.where(missing, np.float32(np.nan), out.astype(np.float32))
    return out if out.dtype.kind == "u" else np.where(np.isfinite(out), out, np.float32(np.nan))


def not_negative(values: np.ndarray, quantity: str, missing: np.ndarray | None) -> np.ndarray:
    """The same values, missing ones as NaN; DataError when any other is below zero, as decibels are."""
    known = values if missing is None else np.where(missing, np.float32(np.nan), values)
    with np.errstate(invalid="ignore"):
        if (known < 0).any():
            raise DataError(f"{quantity} below zero, down to {np.nanmin(known):.4g}; if these are decibels, add ::quantity=db to the path")
    return known


def full_scale(values: np.ndarray) -> float:
    """The largest value of an 8 or 16-bit format; for other formats the 99.9th percentile of the image, at least a tiny number."""
    if values.dtype.kind == "u":
        return float(np.iinfo(values.dtype).max)
    known = values[np.isfinite(values)]
    return max(float(np.percentile(known, BRIGHT)), 1e-20) if known.size else 1.0
