"""Samples → frozen features: batch by batch through an encoder, or straight from the raw samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from jepakit.contracts import Batch, Features, Modality, Reader
from jepakit.errors import ContractError, DataError
from jepakit.evaluate.labelfree import measured
from jepakit.evaluate.labels import Task, inferred, label_array
from jepakit.evaluate.pooling import POOLINGS, pool

RAW = "raw"
"""The one pooling of features that come from no encoder."""
MIN_EMBEDDINGS, MAX_EMBEDDINGS = 256, 2048
"""Embeddings that a measure needs, and that it looks at."""
TOKENS, MOST_TOKEN_VALUES = "tokens", 1 << 29
"""All tokens as they left the encoder, float16, and how many values of them are kept (1 GiB); beyond that there are none."""


@dataclass(frozen=True)
class FeatureSet:
    """Features of M samples.

    by_pooling: pooling → (M, F) float32 or float16. labels: (M,) int64 classes or float64 numbers, (M, L) of either, or None.
    groups: (M,) str, or None when no sample has one; a sample without a group is its own. ids: M names.
    tokens: (M, N, D) float16, or None. facts: (M, A) float64 that stand beside the features of every contender, or None. stated: the kind
    of labels where the reader says it.
    """

    by_pooling: Mapping[str, np.ndarray]
    labels: np.ndarray | None
    groups: np.ndarray | None
    ids: tuple[str, ...]
    tokens: np.ndarray | None = None
    facts: np.ndarray | None = None
    stated: Task | None = None

    def __post_init__(self) -> None:
        for name, z in self.by_pooling.items():
            if z.ndim != 2 or len(z) != len(self.ids):
                raise ContractError(f"features '{name}' are {z.shape} for {len(self.ids)} samples; expected one row a sample.")
            if not np.isfinite(z).all():
                raise ContractError(f"features '{name}' hold values that are not finite; look at the samples and the weights.")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def task(self) -> Task:
        """The kind of labels, stated or inferred."""
        assert self.labels is not None
        return self.stated or inferred(self.labels)

    def take(self, rows: np.ndarray) -> FeatureSet:
        """The samples at `rows`, int64 indices, in that order."""
        return replace(
            self,
            by_pooling={name: z[rows] for name, z in self.by_pooling.items()},
            labels=None if self.labels is None else self.labels[rows],
            groups=None if self.groups is None else self.groups[rows],
            ids=tuple(self.ids[row] for row in rows),
            tokens=None if self.tokens is None else self.tokens[rows],
            facts=None if self.facts is None else self.facts[rows],
        )

    def health(self) -> dict[str, float]:
        """Label-free measures (`labelfree.MEASURES`) of the mean embeddings; {} for fewer than 256 samples."""
        z = next(iter(self.by_pooling.values()))[:: -(-len(self) // MAX_EMBEDDINGS) or 1].astype(np.float32)
        return {} if len(z) < MIN_EMBEDDINGS else measured(z)


def extract(embed: Callable[[Batch], Features], batches: Iterable[Batch], kinds: Sequence[str] = POOLINGS) -> FeatureSet:
    """Features of every sample of `batches`, in order. Memory: one batch beside the result.

    Args:
        embed: an encoder in evaluation mode; with the levels that "levels:…" should use. kinds: poolings wanted. "mean" comes
            first and always; one that some batch does not allow is left out. "tokens" among them keeps all tokens, where every sample has
            the same number and they are at most 1 GiB.

    Raises:
        DataError: if there is no sample, or only some samples have labels.
    """
    parts: dict[str, list[np.ndarray]] | None = None
    labels: list[Any] = []
    groups: list[str | None] = []
    ids: list[str] = []
    wanted = tuple(dict.fromkeys(("mean", *kinds)))
    with torch.inference_mode():
        for batch in batches:
            features = embed(batch)
            pooled = {kind: z.cpu().numpy() for kind, z in pool(features, (kind for kind in wanted if kind != TOKENS)).items()}
            if TOKENS in wanted and (features.valid is None or bool(features.valid.all())):
                pooled[TOKENS] = features.last.half().cpu().numpy()
            parts = {kind: [] for kind in pooled} if parts is None else parts
            parts = {kind: rows for kind, rows in parts.items() if _fits(rows, pooled.get(kind))}
            for kind, rows in parts.items():
                rows.append(pooled[kind])
            labels.extend(_listed(batch.labels, len(batch)))
            groups.extend(batch.groups or (None,) * len(batch))
            ids.extend(batch.ids)
    if parts is None:
        raise DataError("there is no sample to embed; give data with at least one.")
    whole = {kind: np.concatenate(rows) for kind, rows in parts.items()}
    tokens = whole.pop(TOKENS, None)
    return FeatureSet(whole, label_array(labels, ids), _group_array(groups, ids), tuple(ids), tokens)


def raw_features(reader: Reader, modality: Modality) -> FeatureSet:
    """The features that a modality offers without any encoder, under the pooling name "raw".

    Raises:
        DataError: if there is no sample, features differ in length, or only some samples have labels.
    """
    rows, labels, groups, ids, facts = [], [], [], [], []
    for index in range(len(reader)):
        sample = reader.read(index)
        rows.append(np.asarray(modality.raw_features(sample), dtype=np.float32))
        labels.append(sample.label)
        groups.append(sample.group)
        ids.append(sample.id)
        facts.append(sample.meta.get("facts"))
        if rows[-1].shape != rows[0].shape:
            raise DataError(
                f"raw features of sample '{sample.id}' are {rows[-1].shape}, those of '{ids[0]}' {rows[0].shape}; expected one length."
            )
    if not rows:
        raise DataError("there is no sample to evaluate; give data with at least one.")
    raw = FeatureSet({RAW: np.stack(rows)}, label_array(labels, ids), _group_array(groups, ids), tuple(ids))
    return raw if any(fact is None for fact in facts) else replace(raw, facts=_fact_array(facts, ids))


def _listed(labels: Any, count: int) -> Sequence[Any]:
    if labels is None:
        return (None,) * count
    listed = labels.tolist() if isinstance(labels, np.ndarray | torch.Tensor) else list(labels)
    if len(listed) != count:
        raise ContractError(f"a batch of {count} samples has {len(listed)} labels; expected one a sample.")
    return listed


def _group_array(groups: Sequence[str | None], ids: Sequence[str]) -> np.ndarray | None:
    if all(group is None for group in groups):
        return None
    return np.array([f"sample {name}" if group is None else str(group) for group, name in zip(groups, ids)])


def _fact_array(facts: Sequence[Any], ids: Sequence[str]) -> np.ndarray:
    """(M, A) float64; DataError when facts are no row of finite numbers or differ in length."""
    rows = [np.asarray(fact, dtype=np.float64) for fact in facts]
    for row, name in zip(rows, ids):
        if row.ndim != 1 or row.shape != rows[0].shape or not np.isfinite(row).all():
            raise DataError(f"meta['facts'] of sample '{name}' is no row of {rows[0].size} finite numbers (shape {row.shape}).")
    return np.stack(rows)


def _fits(rows: list[np.ndarray], more: np.ndarray | None) -> bool:
    if more is None or (rows and rows[0].shape[1:] != more.shape[1:]):
        return False
    return more.ndim == 2 or (len(rows) + 1) * max(more.size, rows[0].size if rows else 0) <= MOST_TOKEN_VALUES
