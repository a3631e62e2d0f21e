"""Dense labels: aligned with tokens, drawn, never on both sides of a split, and judged as classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jepakit.build import Parts, build, build_modality, fit_tokenizers
from jepakit.config import RunConfig, load_config
from jepakit.contracts import Batch, Features, Layout, Raw, Sample
from jepakit.errors import ContractError, DataError
from jepakit.evaluate.dense import extract_tokens, of_cells
from jepakit.evaluate.features import FeatureSet
from jepakit.evaluate.labels import inferred
from jepakit.evaluate.measure import Measurer
from jepakit.evaluate.rows import FeatureSource, evaluate
from jepakit.evaluate.run import features_of
from jepakit.evaluate.settings import EvalSettings
from jepakit.memory import MemoryReader
from jepakit.plugin_host.loader import discover

SMALL = ["tokenizer.patch=2", "encoder.width=32", "encoder.depth=2", "encoder.heads=1", "transform.levels=[0,-1]", "data.batch=8"]
QUICK = EvalSettings(budgets=(), resamples=60, strengths=(1.0,), neighbours=(5,), folds=2)


def pictures(count: int, seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(1, 8, 8) pictures of dark and bright 2 x 2 blocks; the label of every pixel is its block, -1 in the first row of blocks."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(2, size=(count, 4, 4))
    labels = blocks.repeat(2, 1).repeat(2, 2)
    images = (labels * 120 + rng.integers(100, size=labels.shape)).astype(np.uint8)
    labels = labels.astype(np.int64)
    labels[:, :2] = -1
    return list(images[:, None]), list(labels)


def reader(count: int, seed: int, label_kind: str = "dense") -> MemoryReader:
    images, labels = pictures(count, seed)
    ids = [f"{seed}-{row}" for row in range(count)]
    return MemoryReader(images, labels, kind="image", ids=ids, facts={"label_kind": label_kind, "channels": 1})


def made(train: MemoryReader, *changes: str) -> tuple[RunConfig, Parts]:
    host = discover()
    config = load_config("image-quick", [*SMALL, *changes], host)
    parts = build(config, host, train.spec(), build_modality(config, host))
    fit_tokenizers(parts, train)
    return config, parts


def test_a_probe_on_tokens_finds_what_each_token_shows() -> None:
    train, test = reader(24, 0), reader(12, 1)
    config, parts = made(train, "evaluate.dense_tokens=8")
    source = features_of(config, parts, train, test)
    assert source.test is not None
    assert source.train.by_pooling["token"].shape == (24 * 8, 32), "8 of the 12 labelled tokens of every sample"
    assert source.train.labels is not None
    assert set(source.train.labels) == {0, 1}, "-1 is left out"
    found = evaluate(source, source, None, settings=QUICK, seed=0)
    values = {(row.row, row.probe, row.metric): row.value for row in found.rows}
    assert {metric for _, _, metric in values} == {"macro_f1", "accuracy", "auprc"}
    assert values["encoder", "linear", "macro_f1"] > 0.9
    assert values["encoder", "linear", "auprc"] > 0.9
    assert set(found.pooling_scores) == {"token", "token+mean", "levels:token"} == set(found.pooling_scores_untrained)


def test_tokens_of_a_sample_stay_together() -> None:
    train = reader(10, 0)
    config, parts = made(train)
    found = features_of(config, parts, train, None).train
    assert found.groups is not None
    assert len(np.unique(found.groups)) == 10
    assert found.ids[0].startswith("0-0#")


def test_cells_take_the_most_frequent_known_class() -> None:
    label = np.array([[0, 0, 2, -1], [0, 1, -1, -1], [-1, -1, 3, 3], [-1, -1, 0, 3]])
    assert of_cells(label, (2, 2)).tolist() == [0, 2, -1, 3]  # type: ignore[union-attr]
    assert of_cells(np.full((4,), -1), (2,)).tolist() == [-1, -1]  # type: ignore[union-attr]
    assert of_cells(label, (3, 2)) is None
    assert of_cells(label, None) is None


def test_a_label_that_fits_no_token_is_refused() -> None:
    images, labels = pictures(4, 0)
    bad = MemoryReader(images, [label[:5] for label in labels], kind="image", facts={"label_kind": "dense", "channels": 1})
    config, parts = made(bad)
    with pytest.raises(DataError, match=r"shape \(5, 8\) for 16 tokens"):
        features_of(config, parts, bad, None)


def test_a_modality_may_map_positions_itself() -> None:
    images, labels = pictures(4, 0)
    odd = MemoryReader(images, [label[:5] for label in labels], kind="image", facts={"label_kind": "dense", "channels": 1})
    config, parts = made(odd)

    def first(sample: Sample, layout: Layout) -> np.ndarray:
        return np.arange(len(layout)) % 3

    parts.modality.token_labels = first  # type: ignore[method-assign]
    found = features_of(config, parts, odd, None).train
    assert found.labels is not None
    assert found.labels.tolist() == (np.arange(16) % 3).tolist() * 4


def test_padding_and_unknown_tokens_are_left_out() -> None:
    labels = np.array([[0, 1, 1, -1], [1, -1, -1, -1]])
    valid = torch.tensor([[True, True, True, True], [True, True, False, False]])
    batch = Batch({"main": Raw(torch.arange(24.0).reshape(2, 4, 3))}, ("a", "b"), labels=labels, groups=("g", None))
    found = extract_tokens(lambda one: Features(one.streams["main"].values, valid=valid), [batch], most=9, seed=0)
    assert found.ids == ("a#0", "a#1", "a#2", "b#0")
    assert found.groups is not None
    assert found.groups.tolist() == ["g", "g", "g", "sample b"]
    np.testing.assert_array_equal(found.by_pooling["token"][:, 0], (0, 3, 6, 12))
    np.testing.assert_array_equal(found.by_pooling["token+mean"][3, 3:], (13.5, 14.5, 15.5))


def test_dense_labels_are_never_taken_for_one_target_of_many_numbers() -> None:
    labels = np.array([[0, 2], [1, 0], [2, 1]])
    with pytest.raises(DataError, match='label_kind "dense"'):
        inferred(labels)
    whole = FeatureSet({"mean": np.zeros((3, 2), np.float32)}, labels, None, ("a", "b", "c"), stated="dense")
    with pytest.raises(ContractError, match="make a sample of every token"):
        Measurer(whole, QUICK, 0)
    with pytest.raises(ContractError, match="make a sample of every token"):
        evaluate(FeatureSource(whole), FeatureSource(whole), None, settings=QUICK, seed=0)
