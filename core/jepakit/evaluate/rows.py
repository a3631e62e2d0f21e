"""The evaluation: the encoder, the same encoder untrained, and raw features, side by side and judged on the same test samples.

A number alone says little: pooling and tokens decide as much as training does, and an untrained encoder gains from them too. So all
claims compare with the untrained encoder under the same pooling, which is chosen on training samples with the encoder's features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from jepakit.errors import DataError
from jepakit.evaluate.features import FeatureSet
from jepakit.evaluate.probes import Fitted, Probe, cross_validated, preparation, prepared, probes, with_all_labels, with_few_labels
from jepakit.evaluate.scores import METRICS, interval, resample_counts, resampled, value
from jepakit.evaluate.settings import EvalSettings
from jepakit.evaluate.splits import held_out, is_classes
from jepakit.evaluate.verdict import Judged, judge

ALL = "all"


@dataclass(frozen=True)
class FeatureSource:
    """Features of one contender; test None: part of train is held out."""

    train: FeatureSet
    test: FeatureSet | None = None


@dataclass(frozen=True)
class Row:
    """One value. row: encoder, untrained or raw. labels: how many a class, or "all". low, high: 95 % interval."""

    row: str
    probe: str
    labels: int | str
    metric: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Evaluation:
    """All rows, the pooling that was chosen with its cross-validated score, and what follows from them.

    data, test: what it was made of, in words. health: spread, rank and cosine of encoder and untrained. notes: what to know besides.
    """

    rows: tuple[Row, ...]
    pooling: str
    pooling_scores: Mapping[str, float]
    verdict: Literal["learned", "not learned", "unclear"]
    sentence: str
    run: str = ""
    data: str = ""
    test: str = ""
    health: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What `evaluation.json` holds and `--json` prints."""
        return {**asdict(self), "rows": [asdict(row) for row in self.rows], "notes": list(self.notes)}


@dataclass(frozen=True)
class _Split:
    """One contender ready for probes: prepared features, labels, groups."""

    train: np.ndarray
    test: np.ndarray
    labels: np.ndarray
    truth: np.ndarray
    groups: np.ndarray | None


def evaluate(
    encoder: FeatureSource,
    untrained: FeatureSource,
    raw: FeatureSource,
    *,
    settings: EvalSettings,
    seed: int,
    run: str = "",
    data: str = "",
) -> Evaluation:
    """Compare three contenders on the same samples.

    Args:
        encoder, untrained: features under the same poolings. raw: features under one pooling of its own.
        seed: keys splits, draws and resamples. run, data: names to keep with the result.

    Raises:
        DataError: if labels are missing, there is one class, samples differ between contenders, or the data can't be split.
    """
    sources = {"encoder": encoder, "untrained": untrained, "raw": raw}
    _check(sources)
    sources, test = _with_test(sources, settings, seed)
    scores = pooling_scores(sources["encoder"].train, untrained.train, settings, seed)
    pooling = max(scores, key=lambda name: scores[name])
    rows: list[Row] = []
    notes: list[str] = []
    judged: dict[str, Judged] = {}
    for name, source in sources.items():
        split = _prepare(source, pooling if name != "raw" else next(iter(raw.train.by_pooling)), settings, seed)
        for row, samples in _measured(name, split, settings, seed, notes):
            rows.append(row)
            if (row.probe, row.labels) == ("linear", ALL):
                judged.setdefault(name, Judged(row.metric, row.value, samples))
    health = {name: sources[name].train.health() for name in ("encoder", "untrained")}
    word, sentence = judge(judged, health)
    return Evaluation(tuple(rows), pooling, scores, word, sentence, run=run, data=data, test=test, health=health, notes=tuple(notes))


def pooling_scores(encoder: FeatureSet, untrained: FeatureSet, settings: EvalSettings, seed: int) -> dict[str, float]:
    """Cross-validated score of every candidate both encoders have, on training samples, by a linear probe of fixed strength."""
    assert encoder.labels is not None
    probe = probes(encoder.labels, settings)[0]
    scores = {}
    for name in settings.poolings:
        if name in encoder.by_pooling and name in untrained.by_pooling:
            x = encoder.by_pooling[name]
            x = prepared(preparation(x, settings, seed), x)
            score = cross_validated(probe, probe.few(1), x, encoder.labels, groups=encoder.groups, settings=settings, seed=seed)
            scores[name] = float(np.nan_to_num(score, nan=0.0))
    if not scores:
        raise DataError(f"none of the poolings {', '.join(settings.poolings)} is available for this encoder and data; add 'mean'.")
    return scores


def _measured(name: str, split: _Split, settings: EvalSettings, seed: int, notes: list[str]) -> Iterator[tuple[Row, np.ndarray]]:
    """Every row of one contender, with its bootstrap values."""
    counts = resample_counts(len(split.truth), settings.resamples, seed)
    for probe in probes(split.labels, settings):
        for labels, fitted in _fits(probe, split, settings, seed):
            if not fitted.converged:
                notes.append(f"{name}, {probe.name}, {labels} labels: the solver stopped after {settings.iterations} steps, not converged.")
            for metric in _metrics(split.labels, labels):
                samples = resampled(METRICS[metric], split.truth, fitted.predictions, counts, seed)
                low, high = interval(samples)
                yield Row(name, probe.name, labels, metric, value(METRICS[metric], split.truth, fitted.predictions), low, high), samples


def _fits(probe: Probe, split: _Split, settings: EvalSettings, seed: int) -> Iterator[tuple[int | str, Fitted]]:
    """The probe at every number of labels that leaves some training samples unlabelled, then at all."""
    if is_classes(split.labels):
        classes = len(np.unique(split.labels))
        for budget in settings.budgets:
            if budget * classes < len(split.labels):
                yield budget, with_few_labels(probe, split.train, split.labels, split.test, budget=budget, settings=settings, seed=seed)
    yield ALL, with_all_labels(probe, split.train, split.labels, split.test, groups=split.groups, settings=settings, seed=seed)


def _metrics(labels: np.ndarray, budget: int | str) -> tuple[str, ...]:
    if not is_classes(labels):
        return ("rmse", "r2")
    return ("accuracy", "macro_f1") if budget == ALL else ("accuracy",)


def _prepare(source: FeatureSource, pooling: str, settings: EvalSettings, seed: int) -> _Split:
    train, test = source.train, source.test
    assert test is not None
    assert train.labels is not None
    assert test.labels is not None
    fitted = preparation(train.by_pooling[pooling], settings, seed)
    x, judged = (prepared(fitted, part.by_pooling[pooling]) for part in (train, test))
    return _Split(x, judged, train.labels, test.labels, train.groups)


def _check(sources: Mapping[str, FeatureSource]) -> None:
    """Labels are there, and all contenders have the same samples in the same order."""
    first = sources["encoder"]
    for part, features in (("training", first.train), ("test", first.test)):
        if features is not None and features.labels is None:
            raise DataError(
                f"the {part} samples have no labels; evaluation needs one a sample. Give labelled data, or use `jepakit embed`."
            )
    if first.train.labels is not None and len(np.unique(first.train.labels)) < 2:
        raise DataError("all training samples have the same label; evaluation needs at least two.")
    for name, other in sources.items():
        if other.train.ids != first.train.ids or (other.test and other.test.ids) != (first.test and first.test.ids):
            raise DataError(f"the samples of '{name}' are not those of 'encoder'; all must be read from the same data in the same order.")


def _with_test(sources: Mapping[str, FeatureSource], settings: EvalSettings, seed: int) -> tuple[dict[str, FeatureSource], str]:
    """The sources with a test part, and where it came from, in words."""
    train, test = sources["encoder"].train, sources["encoder"].test
    if test is not None:
        return dict(sources), f"{len(test)} samples of the test set"
    assert train.labels is not None
    split = held_out(train.labels, train.groups, settings.holdout, seed)
    if split is None:
        raise DataError(f"{len(train)} training samples can't be split; give a test set.")
    fit, judged = split
    parts = {name: FeatureSource(source.train.take(fit), source.train.take(judged)) for name, source in sources.items()}
    whole = "" if train.groups is None else ", whole groups"
    return parts, f"{len(judged)} of {len(train)} training samples, held out because there is no test set{whole}"
