"""All label-free measures of one set of embeddings side by side: what `jepakit eval` keeps as health and `bench measures` compares."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from jepakit.errors import ContractError
from jepakit.evaluate.clid import cluster_learnability, intrinsic_dimension
from jepakit.measures import alignment, alpha_req, gaussianity, lidar, mean_cosine, per_dim_std, rankme, uniformity

MEASURES = {
    "std": "root of the mean variance of a dimension",
    "rank": "RankMe, centred: directions in use",
    "rank_uncentred": "RankMe as published, not centred",
    "cosine": "mean cosine between samples",
    "alpha": "α-ReQ: decay of the spectrum, about 1 is best",
    "uniformity": "of directions on the sphere; the lower, the more even",
    "gaussianity": "the statistic of SIGReg; about 1 for a Gaussian",
    "dimension": "intrinsic dimension, TwoNN",
    "learnability": "of the embeddings' own clusters, by the nearest neighbour",
}
"""Name → what it is, of measures that need one embedding a sample."""
OF_VIEWS = {
    "lidar": "LiDAR: directions that tell samples apart beyond what views differ in",
    "alignment": "squared distance between views on the sphere; the lower, the closer",
}
"""Name → what it is, of measures that need several views a sample."""


def measured(z: np.ndarray) -> dict[str, float]:
    """Every measure of `MEASURES` that can be taken of z (n, D); one that can't, of collapsed embeddings say, is left out."""
    rows = torch.from_numpy(np.asarray(z, dtype=np.float32))
    taken: dict[str, Callable[[], float]] = {
        "std": lambda: float(per_dim_std(rows).square().mean().sqrt()),
        "rank": lambda: rankme(rows, centred=True),
        "rank_uncentred": lambda: rankme(rows, centred=False),
        "cosine": lambda: mean_cosine(rows),
        "alpha": lambda: alpha_req(rows),
        "uniformity": lambda: uniformity(rows),
        "gaussianity": lambda: gaussianity(rows),
        "dimension": lambda: intrinsic_dimension(z),
        "learnability": lambda: cluster_learnability(z),
    }
    return _known(taken)


def measured_of_views(z: np.ndarray) -> dict[str, float]:
    """Every measure of `OF_VIEWS` of z (n samples, q views, D)."""
    rows = torch.from_numpy(np.asarray(z, dtype=np.float32))
    return _known({"lidar": lambda: lidar(rows), "alignment": lambda: alignment(rows)})


def _known(taken: dict[str, Callable[[], float]]) -> dict[str, float]:
    found = {}
    for name, take in taken.items():
        try:
            found[name] = take()
        except ContractError:  # too few directions are left for a slope: the other measures say so
            continue
    return {name: value for name, value in found.items() if np.isfinite(value)}
