"""Euclidean alignment: what electrodes share, by volume conduction and reference, is taken out, subject by subject, without labels.

He and Wu 2020, Transfer learning for brain-computer interfaces: a Euclidean space data alignment approach (arXiv 1808.05464): each signal
is multiplied by the inverse root of the mean covariance of its subject, which makes that mean the unit matrix. The symmetric root keeps
every channel as near to its electrode as whitening allows, so positions keep their meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jepakit.sdk import DataError
from jepakit_eeg.reader import Recording
from jepakit_eeg.room import pieces, room

FLOOR = 1e-3
"""Share of the mean variance added to every direction: a common average reference leaves one of them empty. Ours."""


def aligned(recordings: Sequence[Recording], by: str) -> list[Recording]:
    """by "subject" or "recording". Missing values count as the mean and stay missing. DataError where a subject's electrodes differ."""
    members: dict[str, list[int]] = {}
    for number, one in enumerate(recordings):
        members.setdefault(one.group if by == "subject" else str(number), []).append(number)
    out = list(recordings)
    for name, rows in members.items():
        if len({recordings[row].channels for row in rows}) > 1:
            raise DataError(f"align=subject: recordings of subject '{name}' have different electrodes; use align=recording")
        mix, mean = unmixing([recordings[row].signal for row in rows])
        for row in rows:
            out[row] = replace(recordings[row], signal=unmixed(recordings[row].signal, mix, mean), units="1")
    return out


def unmixed(signal: np.ndarray, mix: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """(C, T) float32; missing values stay missing."""
    out = room(*signal.shape)
    for part in pieces(signal.shape[1]):
        known = np.isfinite(signal[:, part])
        out[:, part] = np.where(known, mix @ np.where(known, signal[:, part] - mean, 0.0), np.nan)
    return out


def unmixing(signals: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """((C, C) inverse root of the mean covariance, (C, 1) mean) over all steps."""
    parts = [signal[:, part] for signal in signals for part in pieces(signal.shape[1])]
    count = sum(np.isfinite(part).sum(1, keepdims=True) for part in parts)
    total = sum(np.where(np.isfinite(part), part, 0.0).sum(1, dtype=np.float64, keepdims=True) for part in parts)
    mean = np.asarray(total / np.maximum(count, 1))
    products, shared = (np.zeros((len(mean), len(mean))) for _ in range(2))
    for part in parts:
        known = np.isfinite(part)
        clean = np.where(known, part - mean, 0.0)
        products += clean @ clean.T
        shared += known.astype(np.float64) @ known.T
    covariance = products / np.maximum(shared, 1)
    level = max(float(np.trace(covariance)) / len(covariance), 1e-30)
    values, vectors = np.linalg.eigh(covariance + FLOOR * level * np.eye(len(covariance)))
    return (vectors * np.maximum(values, FLOOR * level) ** -0.5) @ vectors.T, mean
