"""Which measure goes with the probe: on outcomes whose order is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jepakit.bench.measures import Outcome, drawn, read_outcome
from jepakit.bench.verdicts import CHOSEN, lines_of, plot, signed
from jepakit.errors import ConfigError


def outcomes(count: int = 12) -> list[Outcome]:
    """Rank rises with the probe, loss falls, cosine says nothing, α is best in the middle."""
    probe = np.linspace(0.2, 0.8, count)
    noise = np.random.default_rng(0).permutation(count)
    return [
        Outcome(f"run-{i:02d}", (), float(probe[i]), float(probe[i]), {"rank": 5.0 + i, "loss": 1.0 - i / 20, "cosine": float(noise[i])})
        for i in range(count)
    ]


def test_a_measure_that_rises_or_falls_with_the_probe_correlates_perfectly() -> None:
    lines = {line.measure: line for line in lines_of(outcomes())}
    assert next(iter(lines)) == CHOSEN
    for name in ("RankMe, centred", "last loss", CHOSEN):
        assert lines[name].correlation == pytest.approx(1.0)
        assert lines[name].picked == lines[name].best == pytest.approx(0.8)
        assert lines[name].low == pytest.approx(1.0)
    assert abs(lines["mean cosine"].correlation) < 0.7
    assert lines["mean cosine"].low < 0 < lines["mean cosine"].high or lines["mean cosine"].high < 0.9


def test_alpha_counts_by_its_distance_to_one_and_clid_adds_two_measures() -> None:
    made = [
        Outcome("r", (), 0.5, 0.5, {"alpha": a, "dimension": d, "learnability": e}) for a, d, e in ((1.5, 1, 4), (1, 2, 5), (0.4, 3, 9))
    ]
    values = signed(made)
    np.testing.assert_allclose(values["α-ReQ, distance to 1"], [-0.5, 0, -0.6])
    assert values["CLID"].argmax() == 2
    assert values["CLID"].mean() == pytest.approx(0.0, abs=1e-9)


def test_options_are_drawn_by_the_number_of_the_run_alone() -> None:
    varied = {"a": ("1", "2", "3"), "b": ("x", "y")}
    assert drawn(varied, 4) == drawn(varied, 4)
    every = {drawn(varied, number)[:2] for number in range(60)}
    assert len(every) == 6
    assert drawn(varied, 7)[2] == "train.seed=7"


def test_a_run_of_other_options_is_not_taken_for_this_one(tmp_path: Path) -> None:
    assert read_outcome(tmp_path, ("a=1",)) is None
    (tmp_path / "measures.json").write_text(
        '{"run": "r", "changes": ["a=2"], "probe": 0.5, "chosen": 0.5, "measures": {}}', encoding="utf-8"
    )
    assert read_outcome(tmp_path, ("a=2",)) == Outcome("r", ("a=2",), 0.5, 0.5, {})
    with pytest.raises(ConfigError, match=r"holds a run with a=2; give another --out"):
        read_outcome(tmp_path, ("a=1",))


def test_the_plot_is_small_and_the_same_every_time(tmp_path: Path) -> None:
    plot(outcomes(), tmp_path / "a.svg", "accuracy")
    plot(outcomes(), tmp_path / "b.svg", "accuracy")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.svg").read_bytes().startswith(b"<?xml")
    assert (tmp_path / "a.svg").stat().st_size < 100_000
