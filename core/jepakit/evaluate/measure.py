"""One round of measuring: every contender prepared, every probe fitted on its training samples, every metric taken on its test samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from jepakit.errors import ContractError, DataError
from jepakit.evaluate.estimators import Factory
from jepakit.evaluate.features import FeatureSet
from jepakit.evaluate.labels import Task
from jepakit.evaluate.probe import Probe
from jepakit.evaluate.probes import (
    ELSEWHERE,
    Fitted,
    cross_validated,
    fitted_says,
    preparation,
    prepared,
    probes,
    ranked,
    wants_scores,
    with_all_labels,
    with_few_labels,
)
from jepakit.evaluate.retrieval import retrieved
from jepakit.evaluate.samples import Rival
from jepakit.evaluate.scores import METRICS, OF_SCORES, resample_counts, resampled, value
from jepakit.evaluate.settings import EvalSettings

ALL, RETRIEVAL = "all", "retrieval"
DEFAULT_METRICS: dict[str, tuple[str, ...]] = {
    "classification": ("accuracy", "macro_f1"), "two classes": ("accuracy", "auroc", "macro_f1"),
    "dense": ("macro_f1", "accuracy", "auprc"), "multilabel": ("macro_f1", "auroc"), "regression": ("rmse", "r2"),
}  # fmt: skip
KNOWN = {
    "regression": {"rmse", "mse", "mae", "r2"},
    "multilabel": {"exact_match", "macro_f1", "auroc", "auprc"},
    "classification": {"accuracy", "balanced_accuracy", "macro_f1", "auroc", "auprc"},
}
"""Metrics that make sense for a kind of labels."""
PoolingScores = dict[str, dict[str, float]]
"""encoder or untrained → pooling → cross-validated score on training samples."""


def silent(sentence: str) -> None:
    """For when nobody wants to hear."""


@dataclass(frozen=True)
class FeatureSource:
    """Features of one contender; test None: part of train is held out."""

    train: FeatureSet
    test: FeatureSet | None = None


@dataclass(frozen=True)
class Measured:
    """One value with its bootstrap values (W,), paired between contenders."""

    row: str
    probe: str
    labels: int | str
    metric: str
    value: float
    samples: np.ndarray


@dataclass(frozen=True)
class Round:
    """One way to cut the samples. fold: its name, "" where there is only one. Every source has a test part."""

    fold: str
    sources: Mapping[str, FeatureSource]
    rivals: Sequence[Rival] = ()


@dataclass(frozen=True)
class _Split:
    """One contender ready for probes: prepared features, labels, groups; tokens as they are."""

    train: np.ndarray
    test: np.ndarray
    labels: np.ndarray
    truth: np.ndarray
    groups: np.ndarray | None
    tokens: tuple[np.ndarray, np.ndarray] | None = None

    def seen_by(self, probe: Probe) -> _Split | None:
        """The same with what the probe wants as features; None where that is missing."""
        if probe.wants == "vector":
            return self
        return None if self.tokens is None else replace(self, train=self.tokens[0], test=self.tokens[1])


class Measurer:
    """What is the same for all rounds and contenders: settings, task, seed, probes of plugins. Collects notes.

    samples: the training samples, whose labels say what kind they are. Tokens with dense labels must be samples of their own by now.
    """

    def __init__(
        self,
        samples: FeatureSet,
        settings: EvalSettings,
        seed: int,
        *,
        others: Mapping[str, Factory] | None = None,
        tell: Callable[[str], None] = silent,
    ) -> None:
        task, labels = samples.task, samples.labels
        assert labels is not None
        if task == "dense" and labels.ndim != 1:
            raise ContractError(f"dense labels {labels.shape} reached the probes as one sample each; make a sample of every token first.")
        self.task: Task = "classification" if task == "dense" else task
        allowed = KNOWN[self.task]
        default = "two classes" if task == "classification" and len(np.unique(labels)) == 2 else task
        self.metrics = tuple(name for name in settings.metrics if name in allowed) or DEFAULT_METRICS[default]
        self.settings = settings.model_copy(update={"metrics": self.metrics})
        self.seed, self.others, self.tell = seed, others, tell
        self._say = tell
        self.dense = task == "dense"
        made = {probe.name for probe in self._probes(labels)}
        left_out = [
            name for name in settings.probes if name not in {*made, *ELSEWHERE} or (name == RETRIEVAL and self.task != "classification")
        ]
        unfit = [name for name in settings.metrics if name not in allowed]
        self.notes = [f"{name}: left out, since it is nothing for {self.task}." for name in (*left_out, *unfit)]

    def round(self, cut: Round) -> tuple[list[Measured], PoolingScores]:
        """All values of one round, and the cross-validated scores of every pooling."""
        self.tell(f"fold {cut.fold}" if cut.fold else "choosing the pooling")
        self._say = silent if cut.fold else self.tell
        scores = self.pooling_scores(cut.sources["encoder"].train, cut.sources["untrained"].train)
        pooling = best(scores["encoder"])
        found: list[Measured] = []
        for name, source in cut.sources.items():
            split = self.prepare(source, pooling if name != "raw" else next(iter(source.train.by_pooling)))
            found.extend(self._contender(name, split, source.test))
        for rival in cut.rivals:
            found.extend(self._rival(rival, cut.sources["encoder"]))
        return found, scores

    def pooling_scores(self, encoder: FeatureSet, untrained: FeatureSet) -> PoolingScores:
        """Cross-validated score of every candidate both encoders have, on training samples, by the first probe at fixed strength.

        The encoder's choose; the untrained ones show how much of them the pooling alone brings.
        """
        assert encoder.labels is not None
        able = [probe for probe in self._probes(encoder.labels) if probe.wants == "vector"]
        linear = EvalSettings(**{**self.settings.model_dump(), "probes": ("linear",)})
        probe = able[0] if able else probes(encoder.labels, linear, task=self.task)[0]
        names = [name for name in (encoder.by_pooling if self.dense else self.settings.poolings) if name in encoder.by_pooling]
        names = [name for name in names if name in untrained.by_pooling]
        if not names:
            raise DataError(f"none of the poolings {', '.join(self.settings.poolings)} is available for this encoder and data; add 'mean'.")
        both = {"encoder": encoder, "untrained": untrained}
        return {row: {name: self._pooling_score(probe, features, name) for name in names} for row, features in both.items()}

    def _pooling_score(self, probe: Probe, encoder: FeatureSet, name: str) -> float:
        assert encoder.labels is not None
        x = self._centred(encoder, name)
        x = prepared(preparation(x, self.settings, self.seed), x)
        return cross_validated(probe, probe.few(1), x, encoder.labels, groups=encoder.groups, settings=self.settings, seed=self.seed)

    def prepare(self, source: FeatureSource, pooling: str) -> _Split:
        """Features under one pooling through a preparation fitted on training samples; facts beside them."""
        train, test = source.train, source.test
        assert test is not None
        assert train.labels is not None
        assert test.labels is not None
        fitted = preparation(self._centred(train, pooling), self.settings, self.seed)
        parts = [prepared(fitted, self._centred(part, pooling)) for part in (train, test)]
        if self.settings.facts and train.facts is not None and test.facts is not None:
            scaled = preparation(train.facts, self.settings, self.seed)
            parts = [np.concatenate((x, prepared(scaled, facts)), axis=1) for x, facts in zip(parts, (train.facts, test.facts))]
        tokens = None if train.tokens is None or test.tokens is None else (train.tokens, test.tokens)
        return _Split(parts[0], parts[1], train.labels, test.labels, train.groups, tokens)

    def _centred(self, features: FeatureSet, pooling: str) -> np.ndarray:
        x = features.by_pooling[pooling]
        if not self.settings.centre_groups or features.groups is None:
            return x
        x = x.astype(np.float32)
        for group in np.unique(features.groups):
            x[features.groups == group] -= np.median(x[features.groups == group], axis=0)
        return x

    def _contender(self, name: str, split: _Split, test: FeatureSet | None) -> Iterator[Measured]:
        groups = None if test is None else test.groups
        counts = resample_counts(len(split.truth), self.settings.resamples, self.seed, groups)
        for probe in self._probes(split.labels):
            seen = split.seen_by(probe)
            if seen is None:
                self._note(f"{probe.name}: no row for {name}, since samples differ in their tokens, have none, or hold more than is kept.")
                continue
            self._say(f"{probe.name} on {name}")
            for labels, fitted in self._fits(probe, seen):
                if not fitted.converged:
                    few = "all labels" if labels == ALL else f"{labels} a class"
                    self._note(f"{name}, {probe.name}, {few}: the solver stopped after its most steps, not converged.")
                for metric in self.metrics if labels == ALL else self.metrics[:1]:
                    yield from self._value(name, probe.name, labels, metric, fitted, split.truth, counts)
        if RETRIEVAL in self.settings.probes and self.task == "classification":
            for metric, hits in retrieved(split.train, split.labels, split.test, split.truth).items():
                yield from self._value(name, RETRIEVAL, ALL, metric, Fitted(hits[None], 0.0, True), split.truth, counts)

    def _rival(self, rival: Rival, source: FeatureSource) -> Iterator[Measured]:
        train, test = source.train, source.test
        assert test is not None
        assert test.labels is not None
        assert rival.test is not None
        self._note(f"{rival.row}, {rival.probe}: {rival.title}.")
        self._say(f"{rival.probe} on {rival.row}: {rival.title}")
        estimator = rival.make()
        estimator.fit(rival.train, train.labels)
        fitted = fitted_says(estimator, rival.test, scores=wants_scores(self.settings))
        counts = resample_counts(len(test.labels), self.settings.resamples, self.seed, test.groups)
        for metric in self.metrics:
            yield from self._value(rival.row, rival.probe, ALL, metric, fitted, test.labels, counts)

    def _fits(self, probe: Probe, split: _Split) -> Iterator[tuple[int | str, Fitted]]:
        """The probe at every number of labels that leaves some training samples unlabelled, then at all."""
        if self.task == "classification":
            classes = len(np.unique(split.labels))
            for budget in self.settings.budgets:
                if budget * classes < len(split.labels):
                    yield (
                        budget,
                        with_few_labels(
                            probe, split.train, split.labels, split.test, budget=budget, settings=self.settings, seed=self.seed
                        ),
                    )
        yield (
            ALL,
            with_all_labels(probe, split.train, split.labels, split.test, groups=split.groups, settings=self.settings, seed=self.seed),
        )

    def _value(
        self, row: str, probe: str, labels: int | str, metric: str, fitted: Fitted, truth: np.ndarray, counts: np.ndarray
    ) -> Iterator[Measured]:
        """One value, or none where the metric needs scores and the estimator gives none."""
        said = fitted.predictions
        if metric in OF_SCORES:
            if fitted.scores is None or fitted.classes is None:
                return
            truth, said = ranked(truth, fitted)
        samples = resampled(METRICS[metric], truth, said, counts, self.seed)
        yield Measured(row, probe, labels, metric, value(METRICS[metric], truth, said), samples)

    def _probes(self, labels: np.ndarray) -> tuple[Probe, ...]:
        return probes(labels, self.settings, task=self.task, seed=self.seed, others=self.others)

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)


def best(scores: Mapping[str, float]) -> str:
    """The pooling of highest score, the first of equals; one that could not be scored comes last."""
    return max(scores, key=lambda name: -np.inf if np.isnan(scores[name]) else scores[name])
