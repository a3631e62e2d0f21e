"""The twelve leads, each with a row of its own, so that no order or choice of leads in a file can mix them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jepakit.sdk import DataError

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
PLACES = {name.upper(): number for number, name in enumerate(LEADS)} | {"MLII": 1}
"""Row of each lead by its name in capitals. MLII, lead II with electrodes on the torso, takes the row of lead II."""


def arranged(signal: np.ndarray, names: Sequence[str], origin: str) -> np.ndarray:
    """(C, T) with named rows → (12, T) float32, NaN for leads that are not there. DataError for unknown or doubled leads."""
    out = np.full((len(LEADS), signal.shape[1]), np.nan, dtype=np.float32)
    out[list(places(len(signal), names, origin))] = signal
    return out


def places(count: int, names: Sequence[str], origin: str) -> tuple[int, ...]:
    """The row of each of `count` leads among the twelve. DataError for unknown or doubled leads."""
    if len(names) != count:
        raise DataError(f"{origin}: {count} leads and {len(names)} names; expected one name a lead")
    taken: dict[int, str] = {}
    for name in names:
        place = PLACES.get(str(name).strip().upper())
        if place is None:
            raise DataError(f"{origin}: '{name}' is no lead; expected {', '.join(LEADS)} or MLII")
        if place in taken:
            raise DataError(f"{origin}: leads '{taken[place]}' and '{name}' are the same one; keep one of them")
        taken[place] = str(name)
    return tuple(taken)
