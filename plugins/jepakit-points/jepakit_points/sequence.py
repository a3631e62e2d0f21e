"""An order of points in which neighbours follow each other, so that a run of it is a piece of the surface."""

from __future__ import annotations

import numpy as np


def nearest_next(centres: np.ndarray) -> np.ndarray:
    """(N,) int64: from the centre with the smallest sum of coordinates always on to the nearest that is left.

    centres: (N, 3). N^2 distances are held, N being the number of tokens.
    Source: the greedy sequencer of Point-JEPA, Saito et al. 2024 (arXiv 2404.16432), section 3.2.
    """
    apart = np.square(centres[:, None] - centres[None]).sum(axis=-1)
    order = np.empty(len(centres), dtype=np.int64)
    here = int(centres.sum(axis=1).argmin())
    for step in range(len(centres)):
        order[step] = here
        apart[:, here] = np.inf  # nobody goes there again
        here = int(apart[here].argmin())
    return order
