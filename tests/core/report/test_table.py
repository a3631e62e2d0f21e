"""Rows of an evaluation as a table: order, wording, the best of a line, the headline."""

from __future__ import annotations

from typing import Any

import pytest

from jepakit.errors import DataError
from jepakit.report.table import arrange, number


def record(row: str, value: float, probe: str = "linear", labels: int | str = "all", metric: str = "accuracy") -> dict[str, Any]:
    return {"row": row, "probe": probe, "labels": labels, "metric": metric, "value": value, "low": value - 0.01, "high": value + 0.02}


def test_rows_stand_in_the_promised_order_with_extra_ones_last() -> None:
    table = arrange([record("raw", 0.1), record("classical", 0.4), record("encoder", 0.3), record("untrained", 0.2)])
    assert table is not None
    assert table.rows == ("encoder", "untrained", "raw", "classical")
    assert [cell.value for cell in table.lines[0].cells if cell] == ["30.0 %", "20.0 %", "10.0 %", "40.0 %"]
    assert [cell.row for cell in table.lines[0].cells if cell and cell.best] == ["classical"]


def test_interval_is_printed_in_the_unit_of_the_value() -> None:
    table = arrange([record("encoder", 0.5), record("encoder", 12.5, metric="rmse")])
    assert table is not None
    assert [cell.interval for line in table.lines for cell in line.cells if cell] == ["49.0 – 52.0", "12.49 – 12.52"]


def test_smallest_error_is_best() -> None:
    table = arrange([record("encoder", 2.0, metric="rmse"), record("raw", 3.0, metric="rmse")])
    assert table is not None
    assert [cell.best for cell in table.lines[0].cells if cell] == [True, False]


def test_headline_is_the_linear_probe_with_the_most_labels() -> None:
    records = [record("encoder", 0.1, probe, labels) for probe in ("knn", "linear") for labels in (5, "all", 1)]
    table = arrange(records)
    assert table is not None
    assert (table.headline.probe, table.headline.labels) == ("linear", "all labels")
    assert [line.labels for line in table.lines[:3]] == ["5 labels a class", "all labels", "1 label a class"]


def test_row_that_was_not_measured_leaves_a_gap() -> None:
    table = arrange([record("encoder", 0.1), record("raw", 0.2), record("encoder", 0.3, probe="knn")])
    assert table is not None
    assert table.lines[1].cells[1] is None


def test_value_that_is_not_finite_is_never_best() -> None:
    table = arrange([record("encoder", float("nan")), record("raw", 0.2)])
    assert table is not None
    assert [cell.best for cell in table.lines[0].cells if cell] == [False, True]


def test_no_rows_make_no_table() -> None:
    assert arrange([]) is None


@pytest.mark.parametrize("broken", [{"row": "encoder"}, {**record("encoder", 0.1), "value": None}])
def test_incomplete_row_is_named(broken: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="incomplete"):
        arrange([broken])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.031234, "0.03123"),
        (0.99964, "0.9996"),
        (12.341, "12.34"),
        (1240.0, "1,240"),
        (1e-6, "1.00e-06"),
        (-0.5, "-0.5"),
        (float("nan"), "–"),
    ],
)
def test_number_is_short(value: float, text: str) -> None:
    assert number(value) == text
