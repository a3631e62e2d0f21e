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
            known = np.isfinite(recordings[row].signal)
            clean = mix @ np.where(known, recordings[row].signal - mean, 0.0)
            out[row] = replace(recordings[row], signal=np.where(known, clean, np.nan).astype(np.float32), units="1")
    return out


def unmixing(signals: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """((C, C) inverse root of the mean covariance, (C, 1) mean) over all steps."""
    joined = np.concatenate(signals, axis=1).astype(np.float64)
    known = np.isfinite(joined)
    mean = np.where(known, joined, 0.0).sum(1, keepdims=True) / np.maximum(known.sum(1, keepdims=True), 1)
    clean = np.where(known, joined - mean, 0.0)
    shared = known.astype(np.float64) @ known.T
    covariance = clean @ clean.T / np.maximum(shared, 1)
    level = max(float(np.trace(covariance)) / len(covariance), 1e-30)
    values, vectors = np.linalg.eigh(covariance + FLOOR * level * np.eye(len(covariance)))
    return (vectors * np.maximum(values, FLOOR * level) ** -0.5) @ vectors.T, mean
