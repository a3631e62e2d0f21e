"""Clips in one npz file of named arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jepakit.sdk import DataError
from jepakit_modalities.audio.reader import AudioReader, Clip
from jepakit_modalities.image.npz import listing_of, load

EXPECTED = "an array x [N, T] or [N, C, T] (with len [N] where clips are shorter), or x [all samples] with offsets [N + 1]; and sfreq"


def open_npz(path: Path, rate_hz: int | None) -> AudioReader:
    """Arrays x, sfreq (Hz), y, group, class_names, id, scale (x times scale has full scale one).

    Clips of different lengths are padded at the end, and `len` [N] says how long each is, or they lie end to end in x [all samples]
    and `offsets` [N + 1] says where each starts. Whole numbers without a scale are divided by the full scale of their format.
    """
    arrays = load(path, also=("sfreq", "len", "offsets"))
    x = arrays.get("x")
    if x is None or x.dtype.kind not in "if" or x.ndim not in (1, 2, 3) or (x.ndim == 1) != ("offsets" in arrays):
        found = "no x" if x is None else f"x is a {x.dtype} array of shape {x.shape}"
        raise DataError(f"{path}: {found}; expected {EXPECTED}")
    if "sfreq" not in arrays or arrays["sfreq"].size != 1 or not 0 < float(arrays["sfreq"].item()) < 1e7:
        raise DataError(f"{path}: sfreq is missing or no rate; expected one number, in Hz")
    starts, ends = places(arrays, path)
    full = 1.0 if x.dtype.kind == "f" else 1.0 / (np.iinfo(x.dtype).max + 1)
    factor = np.float32(arrays["scale"].item() if "scale" in arrays else full)
    rate = round(float(arrays["sfreq"].item()))
    clips = Clips(x, starts, ends, factor=factor, rate_hz=rate)
    return AudioReader(listing_of({**arrays, "x": starts}, path), clips, origin=str(path), rate_hz=rate_hz)


@dataclass(frozen=True)
class Clips:
    """Clips of one array, called by number. starts, ends: (N,), first sample and end; factor: brings values to full scale one."""

    x: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    factor: np.float32
    rate_hz: int

    def __call__(self, index: int) -> Clip:
        part = self.x[self.starts[index] : self.ends[index]] if self.x.ndim == 1 else self.x[index][..., : self.ends[index]]
        return np.atleast_2d(part).astype(np.float32) * self.factor, self.rate_hz


def places(arrays: dict[str, np.ndarray], path: Path) -> tuple[np.ndarray, np.ndarray]:
    """First sample and end of each clip, (N,) each."""
    x = arrays["x"]
    if x.ndim == 1:
        marks = arrays["offsets"]
        if marks.ndim != 1 or marks.dtype.kind not in "iu" or len(marks) < 2 or (np.diff(marks) < 1).any():
            raise DataError(f"{path}: offsets must be whole numbers that rise, one more than there are clips")
        if marks[0] < 0 or marks[-1] > len(x):
            raise DataError(f"{path}: offsets go from {marks[0]} to {marks[-1]}, x holds {len(x)} samples")
        return marks[:-1], marks[1:]
    ends = arrays.get("len", np.full(len(x), x.shape[-1]))
    if ends.shape != (len(x),) or ends.dtype.kind not in "iu" or (ends < 1).any() or (ends > x.shape[-1]).any():
        raise DataError(f"{path}: len must be a whole number a clip, from 1 to {x.shape[-1]}")
    return np.zeros(len(x), dtype=np.int64), ends
