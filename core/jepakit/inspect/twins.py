"""Samples that are there twice, exactly or nearly, within a set and across two sets."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jepakit.contracts import Modality, Sample
from jepakit.errors import JepakitError

NEAR_ALL, NEAR_NEXT = 0.1, 0.25
"""Near twins: closer than 0.1 of the median distance between samples, and than 0.25 of the median distance to the nearest other. The
second keeps low-dimensional data, where all are close to some other, from being all twins."""
WIDEST = 256
"""Raw features wider than this are projected at random: distances stay within some 5 % (Johnson and Lindenstrauss 1984)."""
BLOCK = 512
SHOWN = 5


@dataclass(frozen=True)
class Twins:
    """exact, near: pairs of ids, a few of them. counts of samples that have a twin. conflicting: exact twins of other labels."""

    exact: int
    near: int | None
    conflicting: int
    exact_pairs: tuple[tuple[str, str], ...]
    near_pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Leaks:
    """What the test samples share with the training samples: samples that are there exactly or nearly, and groups."""

    exact: int
    near: int | None
    groups: int
    exact_pairs: tuple[tuple[str, str], ...]
    near_pairs: tuple[tuple[str, str], ...]
    group_names: tuple[str, ...]


def digest(sample: Sample) -> bytes:
    """Equal for samples of equal streams, whatever their ids and labels."""
    found = hashlib.sha256()
    for name in sorted(sample.streams):
        array = np.ascontiguousarray(sample.streams[name])
        found.update(f"{name} {array.dtype} {array.shape} ".encode())
        found.update(array.tobytes())
    return found.digest()


def twins_within(samples: Sequence[Sample], raw: np.ndarray | None) -> Twins:
    """Twins among the samples of one set. raw: their raw features (M, F), None where they could not be had."""
    first: dict[bytes, int] = {}
    pairs = [(first[key], row) for row, key in enumerate(map(digest, samples)) if first.setdefault(key, row) != row]
    odd = sum(not _same_label(samples[left], samples[right]) for left, right in pairs)
    copies = {right for _, right in pairs}
    rest = [row for row in range(len(samples)) if row not in copies]
    close = None if raw is None else [(rest[left], rest[right]) for left, right in near(raw[rest])]
    return Twins(len(pairs), None if close is None else len(close), odd, _ids(samples, pairs), _ids(samples, close or ()))


def leaks_between(train: Sequence[Sample], test: Sequence[Sample], raw: tuple[np.ndarray, np.ndarray] | None) -> Leaks:
    """Test samples and groups that the training set holds as well. raw: features of both sets, of the same width."""
    known = {digest(sample): row for row, sample in enumerate(train)}
    same = [(known[key], row) for row, key in enumerate(map(digest, test)) if key in known]
    exact = {row for _, row in same}
    close = None if raw is None else [(left, right) for left, right in near_across(*raw) if right not in exact]
    both = sorted({str(sample.group) for sample in train if sample.group is not None} & {str(sample.group) for sample in test})
    return Leaks(
        len(same),
        None if close is None else len(close),
        len(both),
        tuple((train[left].id, test[right].id) for left, right in same[:SHOWN]),
        tuple((train[left].id, test[right].id) for left, right in (close or ())[:SHOWN]),
        tuple(both[:SHOWN]),
    )


def raw_features(samples: Sequence[Sample], modality: Modality) -> np.ndarray | None:
    """(M, F) float32 as the modality makes them; None where it can't, or where they are not of one length.

    None for rows of a table, too: two people of one age, trade and town are no copies of one another.
    """
    if all(array.ndim == 1 for sample in samples for array in sample.streams.values()):
        return None
    try:
        rows = [np.ravel(np.nan_to_num(modality.raw_features(sample))).astype(np.float32) for sample in samples]
    except (JepakitError, ValueError):
        return None
    return np.stack(rows) if rows and len({len(row) for row in rows}) == 1 else None


def near(raw: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (earlier, later) of rows that are nearly the same, each row with its nearest only."""
    if len(raw) < 3:
        return []
    scaled = comparable(raw)
    which, distance, typical = nearest(scaled, scaled, own=True)
    limit = min(NEAR_ALL * typical, NEAR_NEXT * float(np.median(distance)))
    close = np.flatnonzero(distance < limit)
    return sorted({(min(row, int(which[row])), max(row, int(which[row]))) for row in close.tolist()})


def near_across(train: np.ndarray, test: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (training row, test row) that are nearly the same, by the distances within the training set."""
    if len(train) < 3 or not len(test):
        return []
    scaled = comparable(np.concatenate((train, test)))
    ours, theirs = scaled[: len(train)], scaled[len(train) :]
    _, own, typical = nearest(ours, ours, own=True)
    which, distance, _ = nearest(theirs, ours, own=False)
    limit = min(NEAR_ALL * typical, NEAR_NEXT * float(np.median(own)))
    return [(int(which[row]), row) for row in np.flatnonzero(distance < limit).tolist()]


def comparable(raw: np.ndarray) -> np.ndarray:
    """Rows standardised by column, and narrow enough to be compared all with all."""
    spread = raw.std(axis=0)
    scaled: np.ndarray = (raw - raw.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    if scaled.shape[1] <= WIDEST:
        return scaled
    rng = np.random.Generator(np.random.Philox(key=scaled.shape[1]))
    return scaled @ rng.standard_normal((scaled.shape[1], WIDEST), dtype=np.float32) / np.sqrt(np.float32(WIDEST))


def nearest(asking: np.ndarray, asked: np.ndarray, *, own: bool) -> tuple[np.ndarray, np.ndarray, float]:
    """For each row of `asking` its nearest in `asked` and how far it is, and the median distance. own: both are the same rows."""
    which, found, medians = [], [], []
    lengths = np.square(asked).sum(axis=1)
    for start in range(0, len(asking), BLOCK):
        block = asking[start : start + BLOCK]
        squares = np.maximum(np.square(block).sum(axis=1)[:, None] + lengths - 2 * block @ asked.T, 0)
        medians.append(np.median(squares))
        if own:
            squares[np.arange(len(block)), np.arange(start, start + len(block))] = np.inf
        which.append(squares.argmin(axis=1))
        found.append(np.sqrt(squares.min(axis=1)))
    return np.concatenate(which), np.concatenate(found), float(np.sqrt(np.median(medians)))


def _same_label(left: Sample, right: Sample) -> bool:
    return bool(np.array_equal(np.asarray(left.label, dtype=object), np.asarray(right.label, dtype=object)))


def _ids(samples: Sequence[Sample], pairs: Sequence[tuple[int, int]]) -> tuple[tuple[str, str], ...]:
    return tuple((samples[left].id, samples[right].id) for left, right in pairs[:SHOWN])
