"""Features of a stream of batches: order, labels, groups, and poolings that some batch does not allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from jepakit.contracts import Batch, Features, Modality, Raw, Reader, Sample
from jepakit.errors import ContractError, DataError
from jepakit.evaluate.features import FeatureSet, extract, label_array, raw_features


def batches(sizes: Sequence[int], labels: Sequence[Any] | None = None, groups: Sequence[str | None] | None = None) -> Iterator[Batch]:
    """Batches of samples 0, 1, 2 …; each value is its sample's number, 4 tokens of 3 features."""
    start = 0
    for size in sizes:
        rows = range(start, start + size)
        values = torch.arange(start, start + size, dtype=torch.float32)[:, None, None].expand(-1, 4, 3)
        yield Batch(
            streams={"main": Raw(values)},
            ids=tuple(f"s{row}" for row in rows),
            labels=None if labels is None else [labels[row] for row in rows],
            groups=() if groups is None else tuple(groups[row] for row in rows),
        )
        start += size


def embed(batch: Batch) -> Features:
    return Features(last=batch.streams["main"].values + torch.randn(3, requires_grad=True).detach() * 0)


def test_features_come_in_order_with_labels_and_groups() -> None:
    found = extract(embed, batches((2, 3), labels=[0, 1, 0, 1, 2], groups=["a", "a", None, "b", "b"]), ("mean", "flat"))
    np.testing.assert_array_equal(found.by_pooling["mean"][:, 0], np.arange(5))
    assert found.by_pooling["mean"].dtype == np.float32
    assert found.by_pooling["flat"].shape == (5, 12)
    assert found.labels is not None
    assert found.labels.dtype == np.int64
    assert found.groups is not None
    assert found.groups.tolist() == ["a", "a", "sample s2", "b", "b"]
    assert found.ids == ("s0", "s1", "s2", "s3", "s4")
    assert len(found.take(np.array([4, 0]))) == 2
    assert found.take(np.array([4, 0])).ids == ("s4", "s0")


def test_no_graph_is_kept() -> None:
    seen = []

    def look(batch: Batch) -> Features:
        seen.append(torch.is_grad_enabled())
        return embed(batch)

    extract(look, batches((2,)))
    assert seen == [False]


@pytest.mark.parametrize("odd", [0, 1])
def test_flat_is_dropped_when_one_batch_has_other_tokens(odd: int) -> None:
    def ragged(batch: Batch) -> Features:
        last = batch.streams["main"].values
        return Features(last=last[:, :3] if (batch.ids[0] == "s0") == (odd == 0) else last)

    found = extract(ragged, batches((2, 2)), ("mean", "flat"))
    assert list(found.by_pooling) == ["mean"]


def test_labels_of_some_samples_only_are_refused() -> None:
    with pytest.raises(DataError, match="1 of 3 samples have no label, the first is 's1'"):
        extract(embed, batches((3,), labels=[0, None, 1]))
    assert extract(embed, batches((3,))).labels is None
    with pytest.raises(DataError, match="no sample"):
        extract(embed, iter(()))


def test_labels_are_classes_or_numbers() -> None:
    for labels, kind in (([0, 1], "i"), ([True, False], "i"), ([0.5, 1.0], "f"), ([np.int16(3), 4], "i")):
        found = label_array(labels, ("a", "b"))
        assert found is not None
        assert found.dtype.kind == kind
    with pytest.raises(DataError, match="'b' is no class"):
        label_array([0, np.zeros((2, 2))], ("a", "b"))
    with pytest.raises(DataError, match="'a' is no class"):
        label_array(["cat", "dog"], ("a", "b"))


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ContractError, match="not finite"):
        FeatureSet({"mean": np.array([[np.nan]])}, None, None, ("a",))
    with pytest.raises(ContractError, match="one row a sample"):
        FeatureSet({"mean": np.zeros((2, 1))}, None, None, ("a",))


def test_health_needs_enough_embeddings_and_sees_collapse() -> None:
    z = np.random.default_rng(0).normal(size=(3000, 8)).astype(np.float32)
    ids = tuple(map(str, range(3000)))
    good = FeatureSet({"mean": z}, None, None, ids).health()
    assert good["std"] == pytest.approx(1, abs=0.05)
    assert good["rank"] > 7.5
    assert FeatureSet({"mean": z[:, :1] * np.ones((1, 8), np.float32)}, None, None, ids).health()["rank"] < 1.01
    assert FeatureSet({"mean": z[:255]}, None, None, ids[:255]).health() == {}


class Numbers(Reader):
    def __len__(self) -> int:
        return 3

    def read(self, index: int) -> Sample:
        return Sample({"main": np.full(2 if index < 2 else self.last, index, np.float64)}, id=f"n{index}", label=index / 2, group="g")

    def spec(self) -> Mapping[str, Any]:
        return {"kind": "numbers"}

    def fingerprint(self) -> str:
        return "0"

    last = 2


class AsTheyAre(Modality):
    name = "numbers"

    def open(self, source: str, split: str) -> Reader:
        return Numbers()

    def synthetic(self, count: int, seed: int, split: str = "train") -> Reader:
        return Numbers()

    def raw_features(self, sample: Sample) -> np.ndarray:
        return sample.streams["main"]


def test_raw_features_come_from_the_modality() -> None:
    found = raw_features(Numbers(), AsTheyAre())
    np.testing.assert_array_equal(found.by_pooling["raw"], [[0, 0], [1, 1], [2, 2]])
    assert found.labels is not None
    assert found.labels.tolist() == [0.0, 0.5, 1.0]
    uneven = Numbers()
    uneven.last = 5
    with pytest.raises(DataError, match="'n2' are"):
        raw_features(uneven, AsTheyAre())
