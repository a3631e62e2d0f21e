"""The embeddings of a run as page content: the map, and the nearest neighbours of a few samples. Called by `page`.

Here is the arithmetic; drawing is in `figures`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from jepakit.errors import DataError
from jepakit.report import explore, figures
from jepakit.report.artifacts import EmbeddingMap

QUERIES = 6
NEIGHBOURS = 6
TSNE_LIMIT = 2000
"""Above this many points t-SNE takes longer than the rest of the report (measured: 10 s for 2000 on one core), so PCA is drawn."""
TSNE_SEED = 0


@dataclass(frozen=True)
class Tile:
    """One picture (or, without one, one id) of the nearest-neighbour table. match: "same" or "other" label as the query, or ""."""

    id: str
    label: str
    image: str | None
    match: str = ""


def embedding_content(embedding: EmbeddingMap) -> Mapping[str, Any]:
    """What the page shows of the embeddings. Raises `DataError` where there is nothing to map."""
    finite = _finite_rows(embedding)
    flat = flatten(finite.z)
    if flat is None:
        raise DataError(f"nothing to map: the {len(finite.z)} embeddings are too few, or all the same point (collapse).")
    points, method = flat
    image, keys = figures.scatter(points, finite.y, finite.class_names)
    return {
        "map": image,
        "colours": keys,
        "method": method,
        "count": f"{len(finite.z):,}",
        "left_out": len(embedding.z) - len(finite.z),
        "many_classes": finite.y is not None and len(np.unique(finite.y)) > figures.LEGEND_LIMIT,
        "labelled": finite.y is not None,
        "neighbours": _neighbours(finite),
        "legend": list(zip(_known(finite), keys)),
        "explore": explore.explorable(finite, points, nearest(finite.z, range(len(finite.z)), explore.NEIGHBOURS)),
    }


def _known(embedding: EmbeddingMap) -> list[int]:
    return [] if embedding.y is None else [int(label) for label in np.unique(embedding.y[embedding.y >= 0])]


def _finite_rows(embedding: EmbeddingMap) -> EmbeddingMap:
    keep = np.flatnonzero(np.isfinite(embedding.z).all(axis=1))
    y, pictures = (None if part is None else part[keep] for part in (embedding.y, embedding.pictures))
    return replace(embedding, z=embedding.z[keep], ids=tuple(embedding.ids[i] for i in keep), y=y, pictures=pictures)


def _neighbours(embedding: EmbeddingMap) -> list[tuple[Tile, list[Tile]]]:
    """Queries spread evenly over the labels (over the samples without any), each with its nearest rows."""
    count = len(embedding.z)
    order = np.arange(count) if embedding.y is None else np.argsort(embedding.y, kind="stable")
    shown = min(QUERIES, count)
    queries = [int(order[int((place + 0.5) * count / shown)]) for place in range(shown)]
    found = nearest(embedding.z, queries, NEIGHBOURS)
    return [(_tile(embedding, query), [_tile(embedding, int(i), query) for i in row]) for query, row in zip(queries, found)]


def _tile(embedding: EmbeddingMap, index: int, query: int | None = None) -> Tile:
    y, match = embedding.y, ""
    label = "" if y is None else figures.class_name(int(y[index]), embedding.class_names)
    if y is not None and query is not None and min(y[index], y[query]) >= 0:
        match = "same" if y[index] == y[query] else "other"
    image = None if embedding.pictures is None else figures.picture(embedding.pictures[index])
    return Tile(embedding.ids[index], label, image, match)


def flatten(z: np.ndarray) -> tuple[np.ndarray, str] | None:
    """[M,D] → points [M,2] and the name of the method, or None when there is nothing to spread out (M < 3, or all points equal).

    t-SNE (van der Maaten & Hinton 2008) on the 50 leading components up to `TSNE_LIMIT` points, else the two leading components.
    """
    if len(z) < 3 or z.shape[1] < 2:
        return None
    centred = np.asarray(z, np.float64) - z.mean(axis=0, dtype=np.float64)
    if not np.abs(centred).max() > 1e-9 * max(1.0, float(np.abs(z).max())):
        return None
    with threadpool_limits(1):
        left, scale, _ = np.linalg.svd(centred, full_matrices=False)
    components = left * scale
    if not 10 <= len(z) <= TSNE_LIMIT:
        return components[:, :2], "PCA"
    from sklearn.manifold import TSNE  # slow to import, so only a page with such a map pays for it

    perplexity = min(30.0, (len(z) - 1) / 3)
    with threadpool_limits(1):  # set after the import, which brings the pool; two threads on a busy machine took five times the CPU
        spread = TSNE(perplexity=perplexity, init="pca", random_state=TSNE_SEED, n_jobs=1).fit_transform(components[:, :50])
    return np.asarray(spread), "t-SNE"


def nearest(z: np.ndarray, queries: Sequence[int], count: int) -> np.ndarray:
    """Indices [Q, count] of the nearest rows of z [M,D] by cosine, nearest first, the query itself left out."""
    unit = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    near = unit[list(queries)] @ unit.T
    near[np.arange(len(queries)), list(queries)] = -np.inf
    return np.argsort(-near, axis=1, kind="stable")[:, : min(count, len(z) - 1)]
