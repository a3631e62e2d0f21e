"""Every named probe on digits, every kind of label, folds, rivals, facts, metrics of scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from jepakit.errors import ConfigError
from jepakit.evaluate.features import FeatureSet
from jepakit.evaluate.probe import Probe
from jepakit.evaluate.probes import choose
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


@pytest.mark.parametrize("probe", ["svm", "boosting"])
def test_probes_learn_digits(probe: str) -> None:
    found = run((Y > 4).astype(np.int64), probes=(probe,), folds=2, iterations=40)
    assert value(found, probe, "accuracy") > 0.75
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


def test_what_fits_no_numbers_is_said_to_be_left_out() -> None:
    found = run(X.sum(1), probes=("linear", "svm", "retrieval"), metrics=("r2", "auroc"))
    assert {one.probe for one in found.rows} == {"linear"}
    assert {one.metric for one in found.rows} == {"r2"}
    for name in ("svm", "retrieval", "auroc"):
        assert f"{name}: left out, since it is nothing for regression." in found.notes


def test_one_group_left_out_prints_every_fold_and_their_mean() -> None:
    found = run(groups=np.array([f"g{row % 4}" for row in range(300)]), split="leave-one-group-out", probes=("knn",))
    by_fold = {one.fold: one.value for one in found.rows if (one.row, one.metric) == ("encoder", "accuracy")}
    assert set(by_fold) == {"", "g0", "g1", "g2", "g3"}
    assert by_fold.pop("") == pytest.approx(np.mean(list(by_fold.values())))
    assert "fold" not in found.to_json()["rows"][0]


def test_folds_are_shown_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    from jepakit.cli.evaluate import print_folds

    rows = run(groups=np.array([f"g{row % 3}" for row in range(300)]), split="leave-one-group-out", probes=("knn",)).to_json()["rows"]
    print_folds(rows)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "knn, all labels, accuracy, by fold"
    assert lines[2].split() == ["fold", "encoder", "untrained", "raw"]
    assert [line.split()[0] for line in lines[3:6]] == ["g0", "g1", "g2"]
    print_folds([row for row in rows if "fold" not in row])
    assert capsys.readouterr().out == ""


def test_two_classes_are_ranked_too() -> None:
    found = run((Y > 4).astype(np.int64), probes=("linear",))
    assert {row.metric for row in found.rows} == {"accuracy", "auroc", "macro_f1"}
    assert value(found, "linear", "auroc") > value(found, "linear", "accuracy")


def test_options_are_chosen_by_the_first_metric() -> None:
    """The same order of samples under any threshold: accuracy can't tell these estimators from chance, the area under the curve can."""

    class Shifted:
        classes_ = np.array([0, 1])

        def __init__(self, sign: float) -> None:
            self.sign = sign

        def fit(self, x: np.ndarray, y: np.ndarray) -> None: ...
        def predict(self, x: np.ndarray) -> np.ndarray:
            return np.zeros(len(x), dtype=np.int64)

        def decision_function(self, x: np.ndarray) -> np.ndarray:
            return self.sign * x[:, 0] - 100

        def score(self, x: np.ndarray, y: np.ndarray) -> float:
            return float((y == 0).mean())

    y = np.arange(90) % 2
    x = y[:, None] + 0.1 * np.random.default_rng(0).normal(size=(90, 1))
    probe = Probe("shifted", lambda sign, _: Shifted(sign), (-1.0, 1.0), lambda _: 1.0)
    chosen = {
        name: choose(probe, x, y, groups=None, settings=EvalSettings(metrics=(name,)), seed=0) for name in ("accuracy", "auroc", "auprc")
    }
    assert chosen == {"accuracy": -1.0, "auroc": 1.0, "auprc": 1.0}


def test_pooling_scores_of_both_encoders_stand_side_by_side() -> None:
    found = run(probes=("knn",))
    (ours,), (theirs,) = found.pooling_scores.values(), found.pooling_scores_untrained.values()
    assert ours is not None
    assert theirs is not None
    assert ours > theirs + 0.2
    assert found.to_json()["pooling_scores_untrained"] == {"mean": theirs}


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
