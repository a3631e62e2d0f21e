"""Every named probe on digits, every kind of label, folds, rivals, facts, metrics of scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from jepakit.errors import ConfigError
from jepakit.evaluate.features import FeatureSet
from jepakit.evaluate.rows import Evaluation, FeatureSource, evaluate
from jepakit.evaluate.scores import METRICS, resample_counts
from jepakit.evaluate.settings import EvalSettings

DATA = load_digits()
ROWS = np.random.default_rng(0).permutation(1797)[:300]
X, Y = (DATA.data[ROWS] / 16).astype(np.float32), DATA.target[ROWS].astype(np.int64)


def source(noise: float, labels: np.ndarray, groups: np.ndarray | None = None, facts: np.ndarray | None = None) -> FeatureSource:
    x = (X + noise * np.random.default_rng(1).normal(size=X.shape)).astype(np.float32)
    ids = tuple(map(str, range(len(x))))
    tokens = x.reshape(-1, 8, 8).astype(np.float16)
    return FeatureSource(FeatureSet({"mean": x}, labels, groups, ids, tokens, facts))


def run(labels: np.ndarray = Y, groups: np.ndarray | None = None, facts: np.ndarray | None = None, **options: object) -> Evaluation:
    settings = EvalSettings.model_validate({"budgets": (), "resamples": 50, "strengths": (0.1,), "iterations": 100, **options})
    good, bad = source(0.1, labels, groups, facts), source(2.0, labels, groups, facts)
    raw = FeatureSource(replace(bad.train, by_pooling={"raw": bad.train.by_pooling["mean"]}))
    return evaluate(good, bad, raw, settings=settings, seed=0)


def value(found: Evaluation, probe: str, metric: str, row: str = "encoder") -> float:
    (one,) = [one for one in found.rows if (one.row, one.probe, one.metric, one.fold) == (row, probe, metric, "")]
    return one.value


@pytest.mark.parametrize(("probe", "floor"), [("svm", 0.8), ("mlp", 0.8), ("boosting", 0.5)])
def test_probes_learn_digits(probe: str, floor: float) -> None:
    found = run(probes=(probe,), folds=2)
    assert value(found, probe, "accuracy") > floor
    assert value(found, probe, "accuracy", "untrained") < value(found, probe, "accuracy")


def test_retrieval_finds_its_class() -> None:
    found = run(probes=("knn", "retrieval"))
    assert value(found, "retrieval", "recall_at_1") > 0.8
    assert value(found, "retrieval", "recall_at_1") <= value(found, "retrieval", "recall_at_5")
    assert 0.3 < value(found, "retrieval", "mean_average_precision") < 1


def test_unknown_probe_is_named() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'linear'"):
        run(probes=("liner",))


def test_several_labels_and_several_numbers() -> None:
    found = run(np.stack((Y > 4, Y % 2), axis=1).astype(np.int64), metrics=("auroc", "macro_f1", "exact_match"))
    assert value(found, "linear", "auroc") > 0.85
    assert found.verdict == "learned"
    found = run(np.stack((X.sum(1), X[:, 20]), axis=1).astype(np.float64), metrics=("mse", "mae", "r2"))
    assert value(found, "linear", "r2") > 0.7
    assert value(found, "linear", "mse") < value(found, "linear", "mse", "untrained")
    assert found.verdict == "learned"


def test_one_group_left_out_prints_every_fold_and_their_mean() -> None:
    found = run(groups=np.array([f"g{row % 4}" for row in range(300)]), split="leave-one-group-out", probes=("knn",))
    by_fold = {one.fold: one.value for one in found.rows if (one.row, one.metric) == ("encoder", "accuracy")}
    assert set(by_fold) == {"", "g0", "g1", "g2", "g3"}
    assert by_fold.pop("") == pytest.approx(np.mean(list(by_fold.values())))
    assert "fold" not in found.to_json()["rows"][0]


def test_facts_stand_beside_the_features_of_every_row() -> None:
    facts = np.eye(10)[Y]
    assert value(run(facts=facts), "linear", "accuracy", "untrained") > 0.9 > value(run(), "linear", "accuracy", "untrained")


def test_ranking_metrics_equal_scikit_learn_with_ties() -> None:
    rng = np.random.default_rng(0)
    truth, scores, classes = rng.integers(2, size=80), rng.integers(9, size=80) / 8, rng.integers(3, size=(2, 80))
    for row in resample_counts(80, 5, 0):
        for name, known in (("auroc", roc_auc_score), ("auprc", average_precision_score)):
            ours = METRICS[name](row[None], truth[:, None], scores[:, None])[0]
            assert ours == pytest.approx(known(truth, scores, sample_weight=row))
        expected = balanced_accuracy_score(classes[0], classes[1], sample_weight=row)
        assert METRICS["balanced_accuracy"](row[None], classes[0], classes[1])[0] == pytest.approx(expected)


def test_groups_are_drawn_whole() -> None:
    groups = np.array(["a", "a", "b", "c", "c", "c"])
    counts = resample_counts(6, 40, 0, groups)
    assert (counts[:, 0] == counts[:, 1]).all()
    assert (counts[:, 3] == counts[:, 5]).all()
    assert (counts[:, 0] != counts[:, 2]).any()
