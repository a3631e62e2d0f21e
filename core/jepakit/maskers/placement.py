"""Placing target shapes and a context so that they stay apart and neither is ever empty."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from jepakit.maskers.geometry import Shape
from jepakit.maskers.ranges import count_true

TRIES = 20
"""Draws of new places before targets give way; the published sampler has the same patience (Assran et al. 2023, code)."""


@dataclass(frozen=True)
class Placement:
    """seen: (N,) bool, the context. asked: (Q, N) bool, the targets. redraws: draws thrown away; gave_way: the fallback was needed."""

    seen: np.ndarray
    asked: np.ndarray
    redraws: int = 0
    gave_way: bool = False


def needed(min_keep: float, total: int) -> int:
    """Context tokens that must be left: a share of `total` below 1, a count from 1 on; always in 1 .. total - 1."""
    return max(1, min(ceil(min_keep * total) if min_keep < 1 else int(min_keep), total - 1))


def place_apart(
    target: Shape, context: Shape | None, *, number: int, valid: np.ndarray, need: int, rng: np.random.Generator, overlap: bool = False
) -> Placement:
    """`number` targets and a context (None: all valid tokens) without the targets' tokens, at random places.

    A draw that leaves fewer than `need` context tokens, or a target without a valid token, is drawn again, all places anew, up to TRIES
    times; then `give_way` ends it. valid (N,) bool with at least two True; 1 <= need < their number. With `overlap` the context keeps
    the targets' tokens.
    """
    for redraws in range(TRIES):
        asked = target.place(rng, number) & valid
        block = context.place(rng, 1)[0] & valid if context else valid
        seen = block if overlap else block & ~asked.any(axis=0)
        if count_true(seen) >= need and asked.any(axis=1).all():
            return Placement(seen, asked, redraws)
    return give_way(asked, valid, need, rng)


def give_way(asked: np.ndarray, valid: np.ndarray, need: int, rng: np.random.Generator) -> Placement:
    """The end of all tries, always valid: the context takes every token that no target holds, and targets fall away until that is enough.

    Targets fall away from the last; a fallen one repeats one that stays, so the number of queries never changes. When even the
    first is too large, it hands random tokens back. A target without valid tokens falls away too; if all are such, one random token stays.
    """
    number = len(asked)
    staying = asked[asked.any(axis=1)]
    if len(staying) == 0:
        staying = np.zeros((1, len(valid)), dtype=bool)
        staying[0, rng.choice(np.flatnonzero(valid))] = True
    while len(staying) > 1 and count_true(valid & ~staying.any(axis=0)) < need:
        staying = staying[:-1]
    missing = need - count_true(valid & ~staying.any(axis=0))
    if missing > 0:
        staying[0, rng.choice(np.flatnonzero(staying[0]), size=missing, replace=False)] = False
    return Placement(valid & ~staying.any(axis=0), staying[np.arange(number) % len(staying)], redraws=TRIES, gave_way=True)
