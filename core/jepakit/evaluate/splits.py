"""Which samples are fitted and which are judged. A group (subject, patient, tile) is never on both sides."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

Split = tuple[np.ndarray, np.ndarray]
"""(rows to fit, rows to judge), int64."""


def is_classes(labels: np.ndarray) -> bool:
    """Whether labels are classes (integers) rather than numbers."""
    return labels.dtype.kind == "i"


def folds(labels: np.ndarray, groups: np.ndarray | None, count: int, seed: int) -> list[Split]:
    """`count` splits (fewer when there are fewer groups), balanced by class where classes are large enough; keyed by `seed`.

    A single group can't be split without touching both sides, so then it is ignored. Splits that leave one class to fit are left out.
    """
    if groups is not None and len(np.unique(groups)) < 2:
        groups = None
    parts = min(count, len(labels) if groups is None else len(np.unique(groups)))
    if parts < 2:
        return []
    balanced = is_classes(labels) and labels.ndim == 1 and np.unique(labels, return_counts=True)[1].min() >= parts
    if groups is None:
        kind = StratifiedKFold if balanced else KFold
        cut = kind(parts, shuffle=True, random_state=seed).split(labels[:, None], labels)
    elif balanced:
        cut = StratifiedGroupKFold(parts, shuffle=True, random_state=seed).split(labels[:, None], labels, groups)
    else:
        cut = GroupKFold(parts, shuffle=True, random_state=seed).split(labels[:, None], labels, groups)
    splits = [(np.asarray(fit), np.asarray(judge)) for fit, judge in cut]
    return [split for split in splits if not is_classes(labels) or len(np.unique(labels[split[0]])) > 1]


def leave_one_group_out(labels: np.ndarray, groups: np.ndarray) -> list[tuple[str, Split]]:
    """A split a group, named by it, in sorted order; groups without which one class alone would be left to fit are skipped."""
    named = [(str(name), (np.flatnonzero(groups != name), np.flatnonzero(groups == name))) for name in np.unique(groups)]
    return [(name, split) for name, split in named if not is_classes(labels) or len(np.unique(labels[split[0]])) > 1]


def held_out(labels: np.ndarray, groups: np.ndarray | None, share: float, seed: int) -> Split | None:
    """One split with about `share` of the samples (or of the groups) to judge; None when the data can't be split."""
    splits = folds(labels, groups, max(2, round(1 / share)), seed)
    return splits[0] if splits else None


def subsample(count: int, most: int, seed: int) -> np.ndarray:
    """At most `most` of `count` rows, sorted, keyed by `seed`."""
    if count <= most:
        return np.arange(count)
    return np.sort(_keyed(seed, 0).permutation(count)[:most])


def few_labels(labels: np.ndarray, budget: int, draw: int, seed: int) -> np.ndarray:
    """`budget` rows of every class (all of a smaller one), keyed by (seed, draw); a smaller budget is part of a larger one."""
    rng = _keyed(seed, draw + 1)
    chosen = [rng.permutation(np.flatnonzero(labels == label))[:budget] for label in np.unique(labels)]
    return np.sort(np.concatenate(chosen))


def _keyed(seed: int, part: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=np.array([seed, part], dtype=np.uint64)))
