"""Where electrodes sit on the head: by name in the extended 10-05 system, or as the file measured them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

REFERENCES = ("REF", "LE", "RE", "AR", "AVG", "A1", "A2", "M1", "M2")
"""What stands behind the hyphen of a name and is no second electrode: linked ears, averages, ear lobes, mastoids."""


@lru_cache(maxsize=1)
def standard() -> dict[str, np.ndarray]:
    """Name in capitals → (3,) metres: right, front, up, from the centre of the head. MNE's template of the 10-05 system."""
    from mne.channels import get_builtin_montages, make_standard_montage

    name = next(name for name in ("colin27_1005", "standard_1005") if name in get_builtin_montages())  # MNE 1.13 renamed it
    places = make_standard_montage(name).get_positions()["ch_pos"]
    return {name.upper(): np.asarray(place, dtype=np.float32) for name, place in places.items()}


def positions(names: Sequence[str]) -> np.ndarray:
    """(C, 3) float32 metres, NaN for names that the system does not hold."""
    return np.array([position(str(name)) for name in names], dtype=np.float32).reshape(len(names), 3)


def position(name: str) -> np.ndarray:
    """`Oz`, `EEG OZ-REF`, `Oz..`: where that electrode sits; of a bipolar derivation, `FPZ-CZ`, the point half way."""
    known = standard()
    parts = name.upper().removeprefix("EEG").strip(". ").split("-")
    places = [known[part] for part in parts if part in known and part not in REFERENCES]
    named = [part for part in parts if part not in REFERENCES]
    return np.mean(places, axis=0) if places and len(places) == len(named) else np.full(3, np.nan, dtype=np.float32)


def measured(places: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """(C, 3) positions of a file, and those of the names where the file has none (zeros, NaN, or what no float32 holds)."""
    absent = ~(np.abs(places) < np.finfo(np.float32).max).all(axis=1) | ~places.any(axis=1)
    return np.where(absent[:, None], positions(names), places).astype(np.float32) if absent.any() else places.astype(np.float32)
