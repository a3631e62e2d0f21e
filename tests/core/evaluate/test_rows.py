"""The whole evaluation on digits: contenders in order, choices made on training samples, verdicts that are earned."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from jepakit.errors import DataError
from jepakit.evaluate.features import FeatureSet
from jepakit.evaluate.rows import Evaluation, FeatureSource, evaluate
from jepakit.evaluate.settings import EvalSettings

QUICK = EvalSettings(draws=2, budgets=(1,), resamples=200, strengths=(0.01, 0.1), max_fit_rows=300)
TRAIN, TEST = np.arange(500), np.arange(500, 800)
DIGITS = load_digits()
ORDER = np.random.default_rng(0).permutation(1797)
"""The file is sorted by writer."""
PIXELS, LABELS = DIGITS.data[ORDER], DIGITS.target[ORDER].astype(np.int64)


def source(features: np.ndarray, *, test: bool = True, groups: np.ndarray | None = None, **others: np.ndarray) -> FeatureSource:
    """Features of the first 800 digits as one contender."""
    whole = FeatureSet(
        {name: z[:800].astype(np.float32) for name, z in {"mean": features, **others}.items()},
        LABELS[:800],
        groups,
        tuple(f"d{row}" for row in range(800)),
    )
    return FeatureSource(whole.take(TRAIN), whole.take(TEST) if test else None)


def noisy(share: float, seed: int = 0) -> np.ndarray:
    """Digit pixels under noise: the more, the less there is to learn."""
    return PIXELS / 6 + share * np.random.default_rng(seed).normal(size=PIXELS.shape)


def raw(share: float = 2.0) -> FeatureSource:
    features = source(noisy(share, seed=9))
    assert features.test is not None
    return FeatureSource(*(replace(part, by_pooling={"raw": part.by_pooling["mean"]}) for part in (features.train, features.test)))


def run(encoder: FeatureSource, untrained: FeatureSource, third: FeatureSource | None = None, settings: EvalSettings = QUICK) -> Evaluation:
    return evaluate(encoder, untrained, third or raw(), settings=settings, seed=0, run="r", data="digits")


def test_a_better_encoder_has_learned() -> None:
    found = run(source(noisy(0.3)), source(noisy(2.0, seed=1)))
    assert found.verdict == "learned"
    assert [row.row for row in found.rows if (row.probe, row.labels, row.metric) == ("linear", "all", "accuracy")] == [
        "encoder",
        "untrained",
        "raw",
    ]
    assert {(row.probe, row.labels, row.metric) for row in found.rows} == {
        (probe, labels, metric)
        for probe in ("linear", "knn")
        for labels, metric in ((1, "accuracy"), ("all", "accuracy"), ("all", "macro_f1"))
    }
    assert all(0 <= row.low <= row.value <= row.high <= 1 for row in found.rows)
    assert found.test == "300 samples of the test set"


def test_json_holds_rows_as_plain_records() -> None:
    record = json.loads(json.dumps(run(source(noisy(0.3)), source(noisy(2.0, seed=1))).to_json()))
    assert set(record["rows"][0]) == {"row", "probe", "labels", "metric", "value", "low", "high"}
    assert (record["run"], record["data"], record["pooling"]) == ("r", "digits", "mean")
    assert record["verdict"] == "learned"
    assert set(record["health"]) == {"encoder", "untrained"}


def test_no_gain_over_untrained_is_not_learning() -> None:
    same = source(noisy(1.0))
    assert run(same, same).verdict == "not learned"
    assert run(source(noisy(2.0)), source(noisy(0.3, seed=1))).verdict == "not learned"


def test_what_few_labels_show_is_said_beside_the_verdict_of_all() -> None:
    many = QUICK.model_copy(update={"budgets": (1, 5), "draws": 5})
    good, bad, same = source(noisy(0.3)), source(noisy(2.0, seed=1)), source(noisy(1.0))
    ahead, behind, level = (run(one, other, settings=many).sentence for one, other in ((good, bad), (bad, good), (same, same)))
    assert "With few labels it is ahead of itself untrained: 0." in ahead
    assert "with 1 a class (gain 0." in ahead
    assert "with 5 a class (gain 0." in ahead
    assert "With few labels it is behind itself untrained: 0." in behind
    assert "ahead" not in behind
    assert "few labels" not in level


def test_below_raw_features_is_not_learning_and_says_so() -> None:
    found = run(source(noisy(1.0)), source(noisy(2.5, seed=1)), raw(0.1))
    assert found.verdict == "not learned"
    assert "below raw features" in found.sentence


def test_collapse_is_named_though_the_probe_cannot_see_it() -> None:
    shrunk = source(1e-4 * noisy(0.3))
    found = run(shrunk, source(noisy(2.0, seed=1)))
    best = next(row for row in found.rows if row.row == "encoder" and row.labels == "all")
    assert best.value > 0.85
    assert found.verdict == "not learned"
    assert "collapsed" in found.sentence
    assert "few labels" not in found.sentence


def test_test_labels_change_no_choice() -> None:
    encoder, untrained = source(noisy(0.5), **{"mean+std": noisy(1.5)}), source(noisy(1.5), **{"mean+std": noisy(1.5)})
    assert encoder.test is not None
    shuffled = np.random.default_rng(0).permutation(encoder.test.labels)

    def permuted(whole: FeatureSource) -> FeatureSource:
        assert whole.test is not None
        return FeatureSource(whole.train, replace(whole.test, labels=shuffled))

    one, other = run(encoder, untrained), run(permuted(encoder), permuted(untrained), permuted(raw()))
    assert (one.pooling, one.pooling_scores) == (other.pooling, other.pooling_scores)
    assert one.pooling == "mean"
    assert other.verdict != "learned"
    assert next(row.value for row in other.rows) < 0.2


def test_test_samples_are_scaled_as_training_samples_are() -> None:
    good = source(noisy(0.3))
    assert good.test is not None
    elsewhere = replace(good.test, by_pooling={"mean": 1000 + good.test.by_pooling["mean"]})
    assert next(row.value for row in run(FeatureSource(good.train, elsewhere), good).rows if row.labels == "all") < 0.3


def test_pooling_follows_the_encoder_and_needs_both() -> None:
    better = source(noisy(2.0), **{"mean+std": noisy(0.3), "prefix": noisy(0.0)})
    found = run(better, source(noisy(2.0, seed=1), **{"mean+std": noisy(2.0, seed=2)}))
    assert found.pooling == "mean+std"
    assert set(found.pooling_scores) == {"mean", "mean+std"}
    with pytest.raises(DataError, match="add 'mean'"):
        run(better, source(noisy(2.0)), settings=EvalSettings(poolings=("prefix",)))


def test_without_a_test_set_whole_groups_are_held_out() -> None:
    groups = np.array([f"writer {row // 40}" for row in range(800)])
    third = raw()
    found = run(
        source(noisy(0.3), test=False, groups=groups), source(noisy(2.0, seed=1), test=False, groups=groups), FeatureSource(third.train)
    )
    assert "held out because there is no test set, whole groups" in found.test
    assert found.verdict == "learned"


def test_numbers_get_error_and_explained_variance() -> None:
    def numbers(whole: FeatureSource) -> FeatureSource:
        assert whole.test is not None
        truth = PIXELS[:800].sum(1) / 10
        return FeatureSource(replace(whole.train, labels=truth[TRAIN]), replace(whole.test, labels=truth[TEST]))

    found = run(numbers(source(noisy(0.3))), numbers(source(noisy(3.0, seed=1))), numbers(raw()))
    assert {(row.metric, row.labels) for row in found.rows} == {("rmse", "all"), ("r2", "all")}
    assert found.verdict == "learned"


def test_missing_or_single_labels_and_other_samples_are_refused() -> None:
    good = source(noisy(1.0))
    bare = FeatureSource(replace(good.train, labels=None), good.test)
    with pytest.raises(DataError, match="evaluation needs one a sample"):
        run(bare, good)
    with pytest.raises(DataError, match="same label"):
        run(FeatureSource(replace(good.train, labels=np.zeros(500, np.int64)), good.test), good)
    with pytest.raises(DataError, match="'untrained'"):
        run(good, FeatureSource(good.train.take(TRAIN[::-1]), good.test))


def test_settings_refuse_an_unknown_pooling() -> None:
    with pytest.raises(ValueError, match=r"no pooling named 'meen'.*Did you mean 'mean'"):
        EvalSettings(poolings=("meen",))
