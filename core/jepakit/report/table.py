"""The rows of an evaluation as a table: one line a (probe, labels), the encoder beside what it has to beat.

Called by `page` and by `jepakit eval`. Values come from `evaluation.json` and are only arranged and worded here, never computed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jepakit.errors import DataError
from jepakit.evaluate.scores import LOWER_IS_BETTER

ROW_ORDER = ("encoder", "untrained", "raw", "classical")
SHARES = frozenset({"accuracy", "balanced_accuracy", "macro_f1", "exact_match", "recall_at_1", "recall_at_5", "error"})
"""Metrics in [0, 1] that people read in percent."""


@dataclass(frozen=True)
class Interval:
    """A measured value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Cell:
    """One value as printed; `best` marks the best of its line."""

    row: str
    value: str
    interval: str
    best: bool


@dataclass(frozen=True)
class Line:
    """One probe at one number of labels: a cell for every row that was measured, None for the others."""

    probe: str
    labels: str
    metric: str
    percent: bool
    cells: tuple[Cell | None, ...]
    intervals: Mapping[str, Interval]

    @property
    def name(self) -> str:
        return f"{self.probe}, {self.labels}"


@dataclass(frozen=True)
class Table:
    """All lines; `headline` is the one shown on top: the linear probe with the most labels, where there is one."""

    rows: tuple[str, ...]
    lines: tuple[Line, ...]
    headline: Line


def arrange(records: Iterable[Mapping[str, Any]]) -> Table | None:
    """Records {"row", "probe", "labels", "metric", "value", "low", "high"} → a table, or None when there are none.

    Records of single folds ("fold") are left out: the mean over folds has records of its own.

    Raises:
        DataError: if a record lacks a field or its value is no number.
    """
    groups: dict[tuple[str, str, str], dict[str, Interval]] = {}
    amounts: dict[tuple[str, str, str], float] = {}
    for record in (record for record in records if record.get("fold") is None):
        try:
            key = (str(record["probe"]), _labels_text(record["labels"]), str(record["metric"]))
            groups.setdefault(key, {})[str(record["row"])] = Interval(*(float(record[end]) for end in ("value", "low", "high")))
        except (KeyError, TypeError, ValueError) as fault:
            raise DataError(f"evaluation.json: the row {dict(record)} is incomplete ({fault!r}). Run `jepakit eval` again.") from fault
        amounts[key] = float(record["labels"]) if isinstance(record["labels"], int | float) else math.inf
    if not groups:
        return None
    rows = _ordered({row for group in groups.values() for row in group})
    lines = {key: _line(key, group, rows) for key, group in groups.items()}
    headline = max(groups, key=lambda key: (key[0].startswith("linear"), amounts[key]))
    return Table(rows, tuple(lines.values()), lines[headline])


def number(value: float) -> str:
    """Four significant digits (a cosine of 0.9996 is not 1), thousands with a comma: 0.0312, 12.34, 1,240."""
    if not math.isfinite(value):
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.4g}" if value == 0 or abs(value) >= 1e-4 else f"{value:.2e}"


def pooling_lines(encoder: Mapping[str, float | None], untrained: Mapping[str, float | None]) -> list[tuple[str, str, str, str]]:
    """(pooling, score of the encoder, of the untrained one, the gain) as text, a dash for what was not scored."""
    lines = []
    for name, ours in encoder.items():
        score, other = (math.nan if value is None else float(value) for value in (ours, untrained.get(name)))
        lines.append((name, _score(score), _score(other), _score(score - other)))
    return lines


def _score(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "–"


def _line(key: tuple[str, str, str], group: Mapping[str, Interval], rows: tuple[str, ...]) -> Line:
    probe, labels, metric = key
    choose = min if metric in LOWER_IS_BETTER else max
    best = choose((measured.value for measured in group.values() if math.isfinite(measured.value)), default=math.nan)
    cells = tuple(_cell(row, group[row], metric, best) if row in group else None for row in rows)
    return Line(probe, labels, metric.replace("_", " "), metric in SHARES, cells, group)


def _cell(row: str, measured: Interval, metric: str, best: float) -> Cell:
    if metric in SHARES:
        low, high = (f"{100 * end:.1f}" for end in (measured.low, measured.high))
        return Cell(row, f"{100 * measured.value:.1f} %", f"{low} – {high}", measured.value == best)
    return Cell(row, number(measured.value), f"{number(measured.low)} – {number(measured.high)}", measured.value == best)


def _labels_text(labels: Any) -> str:
    if labels == 1:
        return "1 label a class"
    return f"{labels} labels a class" if isinstance(labels, int) else f"{labels} labels"


def _ordered(rows: set[str]) -> tuple[str, ...]:
    """The rows that evaluations have, then whatever else was measured, by name."""
    return (*(row for row in ROW_ORDER if row in rows), *sorted(rows.difference(ROW_ORDER)))
