"""Made-up pieces of four stems that share a beat and a chord: what one plays says something about what another plays."""

from __future__ import annotations

import numpy as np

STEMS = ("bass", "drums", "other", "vocals")
"""The order of the channels, that of MUSDB18."""
RATE_HZ, SECONDS = 8000, 2.0
BEATS = (((0, 4), (2, 6)), ((0, 3, 6), (4,)), ((0, 2, 4, 6), (1, 5)), ((0, 5), (2, 3, 7)))
"""Four rhythms, the classes: eighths of a bar at which bass and bass drum play, and those of the high drum."""


def piece(seed: int, is_test: bool, index: int) -> np.ndarray:
    """(4, T) float32: piece number `index`, whose class is `index` modulo the number of rhythms."""
    rng = np.random.Generator(np.random.Philox(key=[seed, 2 * index + is_test]))
    low, high = BEATS[index % len(BEATS)]
    eighth = rng.uniform(0.11, 0.15)
    root = 55.0 * 2.0 ** (rng.integers(12) / 12)
    steps = np.array([0, 4, 7] if rng.random() < 0.5 else [0, 3, 7])
    time = np.arange(int(SECONDS * RATE_HZ)) / RATE_HZ
    starts = np.arange(0, SECONDS, 8 * eighth)
    bass = plucked(time, [(bar + beat * eighth, root) for bar in starts for beat in low])
    noise = rng.normal(size=len(time))
    drums = noise * hits(time, [bar + beat * eighth for bar in starts for beat in high], 60.0)
    drums += np.sin(2 * np.pi * 60 * time) * hits(time, [bar + beat * eighth for bar in starts for beat in low], 20.0)
    other = sum(np.sin(2 * np.pi * root * 4 * 2 ** (step / 12) * time + rng.uniform(0, 6)) for step in steps)
    melody = [(bar + beat * eighth, root * 8 * 2 ** (rng.choice(steps) / 12)) for bar in starts for beat in sorted({*low, *high})]
    stems = [bass, 0.4 * drums, 0.2 * other, plucked(time, melody)]
    loud = rng.uniform(0.1, 0.2, size=(len(stems), 1))
    return (loud * np.stack(stems) + 0.002 * rng.normal(size=(len(stems), len(time)))).astype(np.float32)


def plucked(time: np.ndarray, notes: list[tuple[float, float]]) -> np.ndarray:
    """(T,) tones that start at once and fade; notes: (start in seconds, Hz)."""
    out = np.zeros_like(time)
    for start, hz in notes:
        since = time - start
        out += np.where(since >= 0, np.exp(-8 * np.maximum(since, 0)) * np.sin(2 * np.pi * hz * since), 0.0)
    return out


def hits(time: np.ndarray, starts: list[float], fade: float) -> np.ndarray:
    """(T,) envelope of strokes that fade by e in 1 / `fade` seconds."""
    return sum((np.where(time >= start, np.exp(-fade * np.maximum(time - start, 0)), 0.0) for start in starts), np.zeros_like(time))
