"""Two label-free measures of neighbourhoods: how many dimensions the embeddings fill, and how easily their own clusters are learned.

Source: Using Representation Expressiveness and Learnability to Evaluate Self-Supervised Learning Methods, Lu et al. 2022
(arXiv 2206.01251), whose CLID is the sum of both, each standardised over the encoders that are compared.
"""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from jepakit.errors import ContractError

MOST_ROWS = 2_000
"""Rows looked at: all pairs are compared."""


def intrinsic_dimension(z: np.ndarray) -> float:
    """Dimensions that rows of z (n, D) fill around each of them, by the ratio of distances to the two nearest neighbours.

    TwoNN, Facco et al. 2017 (Scientific Reports 7, 12140), as the maximum-likelihood estimate (n - 1) / sum log(r2 / r1): within a few
    per cent for evenly filled cubes of few dimensions, too low for many. Rows that occur twice are left out.

    Raises:
        ContractError: if fewer than 10 rows differ.
    """
    rows = np.unique(_some(z), axis=0)
    if len(rows) < 10:
        raise ContractError(f"the dimension of {len(rows)} different embeddings can't be estimated; give at least 10.")
    distances = NearestNeighbors(n_neighbors=3).fit(rows).kneighbors(rows)[0]
    known = distances[:, 1] > 0
    ratios = np.log(distances[known, 2] / distances[known, 1])
    return float((known.sum() - 1) / max(ratios.sum(), 1e-12))


def cluster_learnability(z: np.ndarray, *, clusters: int | None = None, seed: int = 0) -> float:
    """Share of rows of z (n, D) whose k-means cluster is that of their nearest earlier row; chance is about 1 / clusters.

    Rows come in random order and each is guessed from those before it, so that fast learning counts, as in the paper.
    clusters: by default the root of n; the number is this project's choice.

    Raises:
        ContractError: if fewer than 10 rows, or than clusters, differ.
    """
    rows = np.random.default_rng(seed).permutation(_some(z))
    clusters, different = clusters or round(len(rows) ** 0.5), len(np.unique(rows, axis=0))
    if different < max(10, clusters):
        raise ContractError(f"{different} different embeddings make no {clusters} clusters; give at least {max(10, clusters)}.")
    found = KMeans(clusters, n_init=1, random_state=seed).fit_predict(rows)
    squared = np.square(rows).sum(1)
    distances = squared[:, None] + squared[None] - 2 * rows @ rows.T
    distances[np.triu_indices(len(rows))] = np.inf
    nearest = distances[1:].argmin(1)
    return float((found[1:] == found[nearest]).mean())


def _some(z: np.ndarray) -> np.ndarray:
    """At most `MOST_ROWS` rows, evenly spread, float64."""
    if z.ndim != 2:
        raise ContractError(f"embeddings must be (n, D), not {z.shape}.")
    return z[:: -(-len(z) // MOST_ROWS)].astype(np.float64)
