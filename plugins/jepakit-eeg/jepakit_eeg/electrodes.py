"""Where electrodes sit on the head: by name in the extended 10-05 system, or as the file measured them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np


@lru_cache(maxsize=1)
def standard() -> dict[str, np.ndarray]:
    """Name in capitals → (3,) metres: right, front, up, from the centre of the head. MNE's template of the 10-05 system."""
    from mne.channels import get_builtin_montages, make_standard_montage

    name = next(name for name in ("colin27_1005", "standard_1005") if name in get_builtin_montages())  # MNE 1.13 renamed it
    places = make_standard_montage(name).get_positions()["ch_pos"]
    return {name.upper(): np.asarray(place, dtype=np.float32) for name, place in places.items()}


def positions(names: Sequence[str]) -> np.ndarray:
    """(C, 3) float32 metres, NaN for names that the system does not hold. Dots that some recorders append are ignored (`Oz..`)."""
    known = standard()
    nowhere = np.full(3, np.nan, dtype=np.float32)
    return np.array([known.get(str(name).strip(". ").upper(), nowhere) for name in names], dtype=np.float32).reshape(len(names), 3)


def measured(places: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """(C, 3) positions of a file, and those of the names where the file has none (zeros or NaN)."""
    absent = ~np.isfinite(places).all(axis=1) | ~places.any(axis=1)
    return np.where(absent[:, None], positions(names), places).astype(np.float32) if absent.any() else places.astype(np.float32)
