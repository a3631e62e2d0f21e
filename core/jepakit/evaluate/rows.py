"""The evaluation: the encoder, the same encoder untrained, and raw features, side by side and judged on the same test samples.

A number alone says little: pooling and tokens decide as much as training does, and an untrained encoder gains from them too. So all
claims compare with the untrained encoder under the same pooling, which is chosen on training samples with the encoder's features.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from jepakit.errors import DataError
from jepakit.evaluate.estimators import Factory
from jepakit.evaluate.measure import ALL, FeatureSource, Measured, Measurer, PoolingScores, Round, best, silent
from jepakit.evaluate.samples import Rival
from jepakit.evaluate.scores import across_folds, interval
from jepakit.evaluate.settings import EvalSettings
from jepakit.evaluate.splits import folds, held_out, leave_one_group_out
from jepakit.evaluate.verdict import Judged, few_labels, judge

__all__ = ["Evaluation", "FeatureSource", "Row", "evaluate"]


@dataclass(frozen=True)
class Row:
    """One value. row: encoder, untrained, raw or classical. labels: how many a class, or "all". low, high: 95 % interval.

    fold: the part that was judged; "" for the test set, and for the mean over folds.
    """

    row: str
    probe: str
    labels: int | str
    metric: str
    value: float
    low: float
    high: float
    fold: str = ""

    def to_json(self) -> dict[str, Any]:
        """As a record; "fold" only where there is one."""
        return {name: part for name, part in asdict(self).items() if name != "fold" or part}


@dataclass(frozen=True)
class Evaluation:
    """All rows, the pooling that was chosen, and what follows from them.

    pooling_scores, pooling_scores_untrained: cross-validated on training samples, encoder and untrained; the first metric, errors with
    a minus, None where samples were too few. Pooling decides as much as training does, and the gain differs by pooling.
    data, test: what it was made of, in words. health: spread, rank and cosine of encoder and untrained. notes: what to know besides.
    """

    rows: tuple[Row, ...]
    pooling: str
    pooling_scores: Mapping[str, float | None]
    verdict: Literal["learned", "not learned", "unclear"]
    sentence: str
    run: str = ""
    data: str = ""
    test: str = ""
    health: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    pooling_scores_untrained: Mapping[str, float | None] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What `evaluation.json` holds and `--json` prints."""
        return {**asdict(self), "rows": [row.to_json() for row in self.rows], "notes": list(self.notes)}


def evaluate(
    encoder: FeatureSource,
    untrained: FeatureSource,
    raw: FeatureSource | None,
    *,
    settings: EvalSettings,
    seed: int,
    rivals: Sequence[Rival] = (),
    others: Mapping[str, Factory] | None = None,
    run: str = "",
    data: str = "",
    tell: Callable[[str], None] = silent,
) -> Evaluation:
    """Compare the contenders on the same samples.

    Args:
        encoder, untrained: features under the same poolings. raw: features under one pooling of its own, or None.
        seed: keys splits, draws and resamples. rivals: contenders that look at the samples themselves, in the same order.
        others: factories of probes that plugins bring. run, data: names to keep with the result. tell: hears what is being fitted.

    Raises:
        DataError: if labels are missing, there is one class, samples differ between contenders, or the data can't be split.
    """
    sources = {"encoder": encoder, "untrained": untrained} | ({} if raw is None else {"raw": raw})
    _check(sources)
    rounds, test = _rounds(sources, rivals, settings, seed)
    measurer = Measurer(encoder.train, settings, seed, others=others, tell=tell)
    measured = [measurer.round(cut) for cut in rounds]
    whole = measured[0][0] if len(rounds) == 1 else _means([found for found, _ in measured], seed)
    rows = [_row(one) for one in whole]
    if len(rounds) > 1:
        rows += [replace(_row(one), fold=cut.fold) for cut, (found, _) in zip(rounds, measured) for one in found]
    pooling, scores, sentences = _poolings(rounds, [found for _, found in measured])
    judged = _judged(whole)
    health = {name: sources[name].train.health() for name in ("encoder", "untrained")}
    word, sentence = judge({row: by_labels[ALL] for row, by_labels in judged.items()}, health)
    few = few_labels(judged["encoder"], judged["untrained"], health)
    notes = (*measurer.notes, *sentences)
    return Evaluation(
        tuple(rows),
        pooling,
        scores["encoder"],
        word,
        f"{sentence} {few}".rstrip(),
        run=run,
        data=data,
        test=test,
        health=health,
        notes=notes,
        pooling_scores_untrained=scores["untrained"],
    )


def _row(one: Measured) -> Row:
    return Row(one.row, one.probe, one.labels, one.metric, one.value, *interval(one.samples))


def _judged(found: Sequence[Measured]) -> dict[str, dict[int | str, Judged]]:
    """What the verdict is about, by contender and number of labels: the probe and metric that come first."""
    by_row: dict[str, dict[int | str, Judged]] = {}
    for one in found:
        if (one.probe, one.metric) == (found[0].probe, found[0].metric):
            by_row.setdefault(one.row, {})[one.labels] = Judged(one.metric, one.value, one.samples)
    return by_row


def _means(found: Sequence[Sequence[Measured]], seed: int) -> list[Measured]:
    """The mean over folds of everything that every fold has."""
    by_key: dict[tuple[Any, ...], list[Measured]] = {}
    for one in (one for fold in found for one in fold):
        by_key.setdefault((one.row, one.probe, one.labels, one.metric), []).append(one)
    return [
        replace(parts[0], value=float(np.mean([one.value for one in parts])), samples=_paired(parts, seed))
        for parts in by_key.values()
        if len(parts) == len(found)
    ]


def _paired(parts: Sequence[Measured], seed: int) -> np.ndarray:
    fewest = min(len(one.samples) for one in parts)
    return across_folds(np.stack([one.samples[:fewest] for one in parts]), seed)


def _poolings(rounds: Sequence[Round], found: Sequence[PoolingScores]) -> tuple[str, dict[str, dict[str, float | None]], tuple[str, ...]]:
    """The pooling chosen most often, mean scores, and where folds differ a note that says so."""
    chosen = Counter(best(scores["encoder"]) for scores in found)
    shared = [name for name in found[0]["encoder"] if all(name in scores["encoder"] for scores in found)]
    scores = {row: {name: _mean([part[row][name] for part in found]) for name in shared} for row in found[0]}
    counts = ", ".join(f"{name} in {times}" for name, times in chosen.most_common())
    note = (f"each of {len(rounds)} folds chose its pooling on its own training samples: {counts}.",) if len(rounds) > 1 else ()
    return chosen.most_common(1)[0][0], scores, note


def _mean(values: Sequence[float]) -> float | None:
    mean = float(np.mean(values))
    return mean if np.isfinite(mean) else None


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


def _rounds(sources: Mapping[str, FeatureSource], rivals: Sequence[Rival], settings: EvalSettings, seed: int) -> tuple[list[Round], str]:
    """Every way the samples are cut into training and test part, and that in words."""
    train, test = sources["encoder"].train, sources["encoder"].test
    assert train.labels is not None
    if settings.split == "leave-one-group-out":
        if train.groups is None or len(np.unique(train.groups)) < 2:
            raise DataError("evaluate.split: 'leave-one-group-out' needs samples of at least two groups; use 'folds'.")
        cuts = leave_one_group_out(train.labels, train.groups)
        return [_cut(sources, rivals, name, *cut) for name, cut in cuts], f"each of {len(cuts)} groups in turn"
    if settings.split == "folds":
        parts = folds(train.labels, train.groups, settings.folds, seed)
        if not parts:
            raise DataError(f"{len(train)} samples can't be split into folds; give more.")
        made = [_cut(sources, rivals, str(number + 1), *part) for number, part in enumerate(parts)]
        return made, f"each of {len(parts)} folds in turn{'' if train.groups is None else ', whole groups'}"
    if test is not None:
        return [Round("", dict(sources), tuple(rivals))], f"{len(test)} samples of the test set"
    split = held_out(train.labels, train.groups, settings.holdout, seed)
    if split is None:
        raise DataError(f"{len(train)} training samples can't be split; give a test set.")
    whole = "" if train.groups is None else ", whole groups"
    words = f"{len(split[1])} of {len(train)} training samples, held out because there is no test set{whole}"
    return [_cut(sources, rivals, "", *split)], words


def _cut(sources: Mapping[str, FeatureSource], rivals: Sequence[Rival], name: str, fit: np.ndarray, judged: np.ndarray) -> Round:
    parts = {row: FeatureSource(source.train.take(fit), source.train.take(judged)) for row, source in sources.items()}
    return Round(name, parts, [replace(rival, train=rival.train.take(fit), test=rival.train.take(judged)) for rival in rivals])
