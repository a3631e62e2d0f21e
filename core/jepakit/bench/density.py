"""`jepakit bench density`: does the score of a run's encoder tell samples of another source from its own, better than a distance does?

Both kinds of samples are scored alike: held-out ones of the source that the run was trained on, and ones of a source it never saw. What
is compared is the area under the ROC curve of "comes from elsewhere": .5 is chance, below .5 foreign samples pass for more typical.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from jepakit.build import Parts, build_modality
from jepakit.config import RunConfig
from jepakit.contracts import Reader
from jepakit.contracts.carriers import to_device
from jepakit.data.loader import eval_batches
from jepakit.embed.samples import GivenSamples
from jepakit.errors import DataError
from jepakit.evaluate.run import chosen_backbone, trained_parts
from jepakit.evaluate.scores import auroc, interval, resample_counts
from jepakit.plugin_host.host import Host
from jepakit.score import BATCH, pooled_encoder, scored
from jepakit.sources import has_test_split, open_source
from jepakit.train.loop import Emit, pick_device

SCORE, DISTANCE, WHITENED = "JEPA-SCORE", "distance to the mean", "distance in units of the spread"
RESAMPLES = 1_000
FEWEST = 10
RIDGE = 1e-3
"""Share of the mean variance that is added to every direction before whitening, so that dead directions do not decide."""


@dataclass(frozen=True)
class Line:
    """How well one number finds foreign samples: area under the curve with its 95 % interval, and that of what JEPA-SCORE has more."""

    name: str
    value: float
    low: float
    high: float
    gain: tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """own, foreign: how many samples of each."""

    lines: tuple[Line, ...]
    own: int
    foreign: int


def run_bench(run: Path, config: RunConfig, host: Host, *, data: str, against: str, limit: int, emit: Emit) -> Comparison:
    """Three numbers on the same samples.

    Args:
        data: the source of the run; its test split is scored, the training split where it has no other. against: the foreign source.
        limit: samples of each, evenly spread.

    Raises:
        DataError: as readers do, and if a source has fewer than 10 samples.
    """
    modality = build_modality(config, host)
    train = open_source(config, modality, data, "train")
    own, foreign = (open_source(config, modality, source, "test" if has_test_split(source) else "train") for source in (data, against))
    if not has_test_split(data):
        emit({"event": "warning", "sentence": f"{data} has no test split: its samples were trained on, which flatters all numbers"})
    parts = trained_parts(run, config, host, train.spec(), modality)
    reference = embeddings(config, parts, spread(train, limit))
    found = []
    for name, reader in ((data, own), (against, foreign)):
        emit({"event": "scores", "sentence": f"scoring {min(limit, len(reader))} samples of {name}"})
        found.append(looked_at(config, parts, spread(reader, limit), reference))
    sizes = [len(part[SCORE]) for part in found]
    if min(sizes) < FEWEST:
        raise DataError(f"{sizes[0]} own and {sizes[1]} foreign samples are too few to compare; give at least {FEWEST} of each")
    return Comparison(compared(found[0], found[1], config.train.seed), *sizes)


def spread(reader: Reader, limit: int) -> Reader:
    """At most `limit` samples of a reader, evenly spread."""
    rows = np.unique(np.linspace(0, len(reader) - 1, min(limit, len(reader))).round().astype(int))
    return GivenSamples([reader.read(int(row)) for row in rows], reader.spec())


def embeddings(config: RunConfig, parts: Parts, reader: Reader) -> np.ndarray:
    """(M, D) float64 mean embeddings, in float32 as scores are."""
    device = pick_device(config.train.device)
    backbone = chosen_backbone(config, parts).to(device).eval()
    rows = []
    with torch.inference_mode():
        for batch in eval_batches(reader, BATCH, parts.tokenizers):
            encode, values = pooled_encoder(backbone, to_device(batch, device))
            rows.append(encode(values).double().cpu().numpy())
    return np.concatenate(rows)


def looked_at(config: RunConfig, parts: Parts, reader: Reader, reference: np.ndarray) -> dict[str, np.ndarray]:
    """For every sample how foreign it looks, by name: (M,), more is more foreign."""
    z = embeddings(config, parts, reader) - reference.mean(0)
    covariance = np.cov(reference.T) + RIDGE * reference.var(0).mean() * np.eye(reference.shape[1])
    batches = eval_batches(reader, BATCH, parts.tokenizers)
    scores = np.concatenate([scores.score.numpy() for _, scores in scored(config, parts, batches, None)])
    whitened = np.einsum("md,de,me->m", z, np.linalg.inv(covariance), z)
    return {SCORE: -scores, DISTANCE: np.linalg.norm(z, axis=1), WHITENED: np.sqrt(whitened)}


def compared(own: Mapping[str, np.ndarray], foreign: Mapping[str, np.ndarray], seed: int) -> tuple[Line, ...]:
    """A line a number; the same resamples of samples for all."""
    truth = np.concatenate((np.zeros(len(own[SCORE])), np.ones(len(foreign[SCORE]))))[:, None]
    counts = resample_counts(len(truth), RESAMPLES, seed)
    values, samples = {}, {}
    for name in own:
        both = np.concatenate((own[name], foreign[name]))[:, None]
        values[name] = float(auroc(np.ones((1, len(truth))), truth, both)[0])
        samples[name] = auroc(counts, truth, both)
    return tuple(Line(name, values[name], *interval(samples[name]), interval(samples[SCORE] - samples[name])) for name in own)
