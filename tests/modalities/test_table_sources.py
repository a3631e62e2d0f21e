"""Tables as users have them: any order, any type, damaged, unlabelled."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepakit.sdk import DataError, Reader
from jepakit_modalities.table.modality import TableModality
from jepakit_modalities.table.names import BITS, number_of

FRAME = pd.DataFrame(
    {
        "size": [1.5, np.nan, 3.0, 4.0],
        "colour": ["red", "None", None, "red"],
        "old": [True, False, True, False],
        "born": pd.to_datetime(["2020-01-01", None, "2021-06-01", "2022-01-01"]),
        "price": [1.0, 2.0, 3.5, 4.0],
        "split": ["train", "train", "val", "test"],
    }
)
FEATURES = ("born", "colour", "old", "size")


def opened(source: object, split: str = "train") -> Reader:
    return TableModality().open(str(source), split)


def matrix(reader: Reader) -> np.ndarray:
    return np.stack([reader.read(row).streams["main"] for row in range(len(reader))])


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    FRAME.to_parquet(tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def test_kinds_and_cells(parquet: Path) -> None:
    reader = opened(f"{parquet}::label=price", "all")
    assert reader.spec()["columns"] == list(FEATURES)
    assert reader.spec()["kinds"] == ["date", "name", "boolean", "number"]
    cells = matrix(reader)
    assert cells.shape == (4, 4)
    assert cells[0, 0] == pd.Timestamp("2020-01-01").timestamp()
    assert cells[0, 1] == cells[3, 1] != cells[1, 1]
    assert np.isnan(cells).tolist() == [[False] * 4, [True, False, False, True], [False, True, False, False], [False] * 4]


def test_split_column_and_label(parquet: Path) -> None:
    train, test = opened(f"{parquet}::label=price"), opened(f"{parquet}::label=price", "test")
    val = opened(f"{parquet}::label=price,split=val", "test")
    assert [len(part) for part in (train, test, val)] == [2, 1, 1]
    assert train.spec()["label_kind"] == "regression"
    assert test.read(0).label == 4.0
    assert val.read(0).id == "t/2"


def test_csv_says_the_same_as_parquet(parquet: Path, tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    ours, theirs = opened(f"{tmp_path / 't.csv'}::label=price", "all"), opened(f"{parquet}::label=price", "all")
    assert ours.spec() == theirs.spec()
    np.testing.assert_array_equal(matrix(ours), matrix(theirs))


def test_order_of_columns_is_no_difference(parquet: Path, tmp_path: Path) -> None:
    FRAME[FRAME.columns[::-1]].to_parquet(tmp_path / "turned.parquet")
    ours = opened(f"{tmp_path / 'turned.parquet'}::label=price", "all")
    np.testing.assert_array_equal(matrix(ours), matrix(opened(f"{parquet}::label=price", "all")))


def test_equal_copies_are_one_column_and_different_ones_an_error(tmp_path: Path) -> None:
    column, other = pa.array([1.0, 2.0]), pa.array([1.0, 3.0])
    pq.write_table(pa.table([column, column], names=["a", "a"]), tmp_path / "same.parquet")
    pq.write_table(pa.table([column, other], names=["a", "a"]), tmp_path / "two.parquet")
    assert opened(tmp_path / "same.parquet").spec()["columns"] == ["a"]
    with pytest.raises(DataError, match="2 columns are called 'a' and differ"):
        opened(tmp_path / "two.parquet")
    (tmp_path / "two.csv").write_text("a,a\n1,1\n2,3\n")
    with pytest.raises(DataError, match="2 columns are called 'a' and differ"):
        opened(tmp_path / "two.csv")


@pytest.mark.parametrize(
    ("column", "task", "kind", "labels"),
    [
        (["b", "a", "b"], None, "classification", [1, 0, 1]),
        ([True, False, True], None, "classification", [1, 0, 1]),
        ([-1, 1, -1], None, "classification", [0, 1, 0]),
        ([3.0, 0.0, 3.0], None, "classification", [3, 0, 3]),
        ([3, 0, 3], "regression", "regression", [3.0, 0.0, 3.0]),
        ([0.5, 1.0, 2.0], None, "regression", [0.5, 1.0, 2.0]),
        (["b", None, "b"], None, "classification", [0, None, 0]),
    ],
)
def test_labels(tmp_path: Path, column: list[object], task: str | None, kind: str, labels: list[object]) -> None:
    pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": column}).to_parquet(tmp_path / "t.parquet")
    reader = opened(f"{tmp_path / 't.parquet'}::label=y" + (f",task={task}" if task else ""))
    assert reader.spec()["label_kind"] == kind
    assert [reader.read(row).label for row in range(3)] == labels


def test_many_whole_numbers_are_regression(tmp_path: Path) -> None:
    pd.DataFrame({"x": range(100), "label": range(100)}).to_parquet(tmp_path / "t.parquet")
    assert opened(tmp_path / "t.parquet").spec()["label_kind"] == "regression"


def test_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x=np.array([[1, 2], [3, 4]]), y=[1, 0], scale=0.5, group=["a", "b"], class_names=["no", "yes"])
    reader = opened(tmp_path / "t.npz")
    np.testing.assert_array_equal(matrix(reader), [[0.5, 1.0], [1.5, 2.0]])
    assert [reader.read(row).group for row in range(2)] == ["a", "b"]
    assert [reader.read(row).label for row in range(2)] == [1, 0]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{}::lable=price", "Did you mean 'label'"),
        ("{}::label=prize", "there is no column 'prize'; it has size"),
        ("{}::label=price,split=dev", "column 'split' has no row 'dev', only test, train, val"),
        ("{}::label=size,task=classification", "holds fractions"),
        ("{}::label=colour,task=regression", "regression needs numbers"),
        ("{}::label=price,label=size", "given twice"),
        ("{}.gone", "no such file"),
    ],
)
def test_errors_say_what_to_do(parquet: Path, source: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        opened(source.format(parquet))


def test_nested_columns_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [[1, 2], [3]], "b": [1, 2]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"column 'a' holds .*::drop="):
        opened(tmp_path / "t.parquet")
    assert opened(f"{tmp_path / 't.parquet'}::drop=a").spec()["columns"] == ["b"]


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([".csv", ".parquet", ".npz", ".tsv"]))
def test_damaged_files_give_only_data_errors(tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str) -> None:
    path = tmp_path_factory.mktemp("damaged") / f"t{suffix}"
    path.write_bytes(data)
    with suppress(DataError):
        matrix(opened(path))


@given(st.text(), st.text())
def test_different_names_get_different_whole_numbers(one: str, other: str) -> None:
    assert (number_of(one) == number_of(other)) == (one == other)
    assert number_of(one) == int(number_of(one)) < 2**BITS


def test_texts_that_share_words_share_bits() -> None:
    def distance(one: str, other: str) -> int:
        return (int(number_of(one)) ^ int(number_of(other))).bit_count()

    text = "the quick brown fox jumps over the lazy dog near the old river"
    assert distance(text, text.replace("quick", "slow")) < 18 < distance(text, "prices rose again while exports of steel fell by half")


@pytest.mark.parametrize("name", ["breast-cancer", "diabetes", "iris", "wine"])
def test_bundled(name: str) -> None:
    parts = [opened(f"bundled:{name}", split) for split in ("train", "test", "all")]
    assert len(parts[0]) + len(parts[1]) == len(parts[2])
    assert not {parts[0].read(row).id for row in range(len(parts[0]))} & {parts[1].read(row).id for row in range(len(parts[1]))}


def test_raw_features_use_scales_of_the_training_table(parquet: Path) -> None:
    modality = TableModality()
    train = modality.open(f"{parquet}::label=price", "train")
    test = modality.open(f"{parquet}::label=price", "test")
    shapes = {modality.raw_features(reader.read(0)).shape for reader in (train, test)}
    assert len(shapes) == 1
    features = np.stack([modality.raw_features(train.read(row)) for row in range(2)])
    assert np.isfinite(features).all()
    assert features.dtype == np.float32


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_boosted_trees_find_structure(task: str) -> None:
    modality = TableModality()
    train, test = (modality.synthetic(400, 0, split) for split in ("train", "test"))
    samples, judged = ([reader.read(row) for row in range(len(reader))] for reader in (train, test))
    y, truth = (np.array([sample.label for sample in part], dtype=float if task == "regression" else int) for part in (samples, judged))
    found = modality.classical(task)
    assert found is not None
    _, estimator = found
    predicted = estimator.fit(samples, y).predict(judged)
    if task == "classification":
        assert estimator.predict_proba(judged).shape == (400, 4)
        assert (predicted == truth).mean() > 0.6  # chance: a quarter
    else:
        assert not hasattr(estimator, "predict_proba")
        assert np.mean((predicted - truth) ** 2) < 0.7 * truth.var()
    assert modality.classical("dense") is None
