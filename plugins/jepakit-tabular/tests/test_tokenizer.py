"""Cells become tokens: missing, constant, unseen, reordered and too many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jepakit_tabular.scaling import Quantiles, Standard
from jepakit_tabular.tokenizer import ColumnSettings, ColumnTokenizer

from jepakit.contracts import Raw, Sample, Tokens
from jepakit.data.collate import stack_stream
from jepakit.sdk import DataError
from jepakit_modalities.table.columns import encode
from jepakit_modalities.table.modality import TableModality
from jepakit_modalities.table.reader import Table, TableReader


def reader_of(frame: pd.DataFrame) -> TableReader:
    columns, cells = encode(frame, "test")
    return TableReader(Table(columns, cells, [f"row/{row}" for row in range(len(frame))]), origin="test")


def fitted(frame: pd.DataFrame, **options: object) -> tuple[ColumnTokenizer, list[Sample]]:
    reader = reader_of(frame)
    torch.manual_seed(0)
    tokenizer = ColumnTokenizer(ColumnSettings(**options), width=8, spec=reader.spec())  # type: ignore[arg-type]
    samples = [reader.read(row) for row in range(len(reader))]
    tokenizer.fit(samples)
    return tokenizer, samples


def tokens(tokenizer: ColumnTokenizer, samples: Sequence[Sample]) -> Tokens:
    raw = stack_stream(samples, [tokenizer.layout(sample, "main") for sample in samples], "main")
    made: Tokens = tokenizer(raw)
    return made


MIXED = pd.DataFrame(
    {
        "b name": ["x", "y", None, "x"],
        "a number": [1.0, np.nan, 3.0, 4.0],
        "c empty": [None, None, None, None],
        "d day": pd.to_datetime(["2020-01-01", "2020-05-01", None, "2021-01-01"]),
        "e constant": [7, 7, 7, 7],
        "f flag": [True, False, True, None],
    }
)


@pytest.mark.parametrize("numeric", ["periodic", "piecewise", "linear"])
@pytest.mark.parametrize("scaler", ["quantile", "standard"])
def test_every_kind_of_cell_gives_a_finite_token(numeric: str, scaler: str) -> None:
    tokenizer, samples = fitted(MIXED, numeric=numeric, scaler=scaler)
    made = tokens(tokenizer, samples)
    assert made.x.shape == (4, 6, 8)
    assert bool(made.x.isfinite().all())
    made.x.sum().backward()
    assert all(parameter.grad is None or bool(parameter.grad.isfinite().all()) for parameter in tokenizer.parameters())


def test_missing_is_a_state_of_its_own() -> None:
    tokenizer, samples = fitted(pd.DataFrame({"a": [0.0, np.nan, 1.0, -1.0], "b": ["x", None, "", "x"]}))
    x = tokens(tokenizer, samples).x
    torch.testing.assert_close(x[1], tokenizer.missing_embedding)
    assert not torch.allclose(x[0], x[1])
    assert not torch.allclose(x[2, 1], x[1, 1])


def test_a_column_changes_its_own_token_only() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 4)), columns=list("abcd"))
    frame["name"] = ["x", "y"] * 25
    tokenizer, _ = fitted(frame)
    other = frame.copy()
    other["c"] += 1.0
    plain, changed = (tokens(tokenizer, [reader.read(row) for row in range(50)]).x for reader in (reader_of(frame), reader_of(other)))
    assert [torch.equal(plain[:, column], changed[:, column]) for column in range(5)] == [True, True, False, True, True]


def test_unseen_categories_say_nothing_until_trained() -> None:
    tokenizer, _ = fitted(pd.DataFrame({"a": ["x", "y"] * 5, "b": range(10)}))
    reader = reader_of(pd.DataFrame({"a": ["z", "x"], "b": [0, 0]}))
    x = tokens(tokenizer, [reader.read(0), reader.read(1)]).x
    torch.testing.assert_close(x[0, 0], tokenizer.parts["names"].column_embedding[0])
    assert not torch.allclose(x[0, 0], x[1, 0])


def test_frequent_names_have_places_and_rare_ones_share_buckets() -> None:
    names = ["often"] * 50 + [f"once {number}" for number in range(30)]
    tokenizer, _ = fitted(pd.DataFrame({"a": names, "b": range(80)}), categories=1, buckets=4)
    part = tokenizer.parts["names"]
    assert part.vocabulary.shape == (1, 1)
    assert not bool(part.wordy.any())
    assert part.category_embedding.shape == (1, 5, 8)


def test_texts_are_read_by_their_words() -> None:
    words = ["cold", "warm", "dry", "wet", "high", "low", "fast", "slow", "red", "blue"]
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(words, 6)) + f" {row}" for row in range(100)]
    tokenizer, samples = fitted(pd.DataFrame({"a": texts, "b": range(100)}), categories=8)
    assert bool(tokenizer.parts["names"].wordy[0])
    assert bool((tokens(tokenizer, samples).x[:, 0].std(0) > 0.01).all())


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pd.DataFrame({"a": [1.0]}), "lacks 'b'"),
        (pd.DataFrame({"a": [1.0], "b": ["x"], "c": [2]}), "adds 'c'"),
        (pd.DataFrame({"a": ["one"], "b": ["x"]}), "column 'a' is of kind name, in the table of the run of kind number"),
    ],
)
def test_a_table_with_other_columns_is_an_error(frame: pd.DataFrame, said: str) -> None:
    tokenizer, _ = fitted(pd.DataFrame({"b": ["x", "y"], "a": [1.0, 2.0]}))
    with pytest.raises(DataError, match=said):
        tokenizer.layout(reader_of(frame).read(0), "main")


@pytest.mark.parametrize("names", [[], ["only"]])
def test_a_table_needs_two_columns(names: list[str]) -> None:
    with pytest.raises(DataError, match="two or more"):
        ColumnTokenizer(ColumnSettings(), width=8, spec={"columns": names, "kinds": ["number"] * len(names)})


def test_an_empty_column_fits_to_every_kind() -> None:
    tokenizer, _ = fitted(pd.DataFrame({"b": ["x", "y"], "a": [1.0, 2.0]}))
    sample = reader_of(pd.DataFrame({"a": [None], "b": [None]})).read(0)
    torch.testing.assert_close(tokens(tokenizer, [sample]).x[0], tokenizer.missing_embedding)


def test_a_thousand_columns_share_tokens() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(8, 1000)), columns=[f"c{number:04d}" for number in range(1000)])
    tokenizer, samples = fitted(frame, most_tokens=64)
    made = tokens(tokenizer, samples)
    assert made.x.shape == (8, 63, 8)
    assert 0.1 < float(made.x.detach().std()) < 3.0


def test_fitted_state_travels_with_the_weights() -> None:
    ours, samples = fitted(MIXED)
    theirs = ColumnTokenizer(ColumnSettings(), width=8, spec=reader_of(MIXED).spec())
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(tokens(ours, samples).x, tokens(theirs, samples).x)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.floats(-1e30, 1e30), st.just(float("nan"))), min_size=1, max_size=40), st.floats(-1e30, 1e30))
def test_scalers_stay_bounded_and_in_order(column: list[float], value: float) -> None:
    cells = torch.tensor(column, dtype=torch.float64)[:, None]
    for scaler in (Quantiles(1), Standard(1)):
        scaler.fit(cells)
        known = cells[~cells.isnan()]
        z = scaler(torch.cat((known, torch.tensor([value], dtype=torch.float64))).sort().values[:, None])
        assert bool(z.isfinite().all())
        assert float(z.abs().max()) <= 5.0
        assert bool((z.diff(dim=0) >= -1e-5).all())


def test_quantiles_of_a_column_become_normal() -> None:
    cells = torch.from_numpy(np.random.default_rng(0).lognormal(size=(4000, 1)))
    scaler = Quantiles(1)
    scaler.fit(cells)
    z = scaler(cells)
    assert abs(float(z.mean())) < 0.02
    assert abs(float(z.std()) - 1) < 0.03


def test_run_on_another_machine_reads_the_same_names(tmp_path: Path) -> None:
    MIXED.to_parquet(tmp_path / "a.parquet")
    MIXED[::-1].to_csv(tmp_path / "b.csv", index=False)
    tokenizer, _ = fitted(MIXED)
    ours, theirs = (TableModality().open(str(tmp_path / name), "train") for name in ("a.parquet", "b.csv"))
    x = tokens(tokenizer, [ours.read(0), theirs.read(3)]).x
    torch.testing.assert_close(x[0], x[1])


def test_raw_needs_a_layout() -> None:
    tokenizer, _ = fitted(MIXED)
    with pytest.raises(ValueError, match="layouts"):
        tokenizer(Raw(torch.zeros(1, 6, dtype=torch.float64)))
