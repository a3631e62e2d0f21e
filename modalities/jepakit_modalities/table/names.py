"""Names and texts as numbers that need no list of known names: equal names get equal numbers, in every file and on every machine."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

import numpy as np

BITS = 52
"""A float64 holds whole numbers of 52 bits exactly. Among 100,000 names two share a number once in a million data sets."""
WEIGHTS = 2.0 ** np.arange(BITS)
WHOLE = 0.5
"""Weight of the whole text beside that of each of its words: it decides where words balance, so that texts of the same words differ."""


def numbers_of(texts: Iterable[str]) -> np.ndarray:
    """(n,) float64, whole numbers below 2^52."""
    return np.array([number_of(text) for text in texts], dtype=np.float64)


def number_of(text: str) -> float:
    """The similarity hash of a text over its words: texts that share words share bits (Charikar 2002, section 3).

    A single word gets a random-looking number of its own.
    """
    words = text.lower().split()
    if len(words) < 2:
        return float(WEIGHTS[signs(text) > 0].sum())
    balance = np.sum([signs(word) for word in words], axis=0) + WHOLE * signs(text)
    return float(WEIGHTS[balance > 0].sum())


@lru_cache(maxsize=100_000)
def signs(word: str) -> np.ndarray:
    """(52,) of -1 and 1, fixed by the word."""
    digest = np.frombuffer(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), dtype=np.uint8)
    made = np.unpackbits(digest)[:BITS].astype(np.int8) * 2 - 1
    made.flags.writeable = False
    return made
