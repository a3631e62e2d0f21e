"""Which label-free measure goes with the probe, and which one picks the best run: rank correlations, picks and a plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from scipy.stats import rankdata

from jepakit import disk
from jepakit.bench.measures import Outcome

CHOSEN = "probe on training folds"
BETTER: dict[str, tuple[str, int]] = {
    "rank": ("RankMe, centred", 1),
    "rank_uncentred": ("RankMe, uncentred", 1),
    "lidar": ("LiDAR", 1),
    "alpha": ("α-ReQ, distance to 1", -1),
    "clid": ("CLID", 1),
    "dimension": ("intrinsic dimension", 1),
    "learnability": ("cluster learnability", 1),
    "uniformity": ("uniformity", -1),
    "alignment": ("alignment", -1),
    "gaussianity": ("Gaussianity (SIGReg)", -1),
    "cosine": ("mean cosine", -1),
    "std": ("standard deviation", 1),
    "loss": ("last loss", -1),
    "position_ratio": ("position ratio", -1),
}
"""Measure → its name in print, and whether more (1) or less (-1) is claimed to be better."""
RESAMPLES = 2_000


@dataclass(frozen=True)
class Line:
    """How one measure did. correlation: Spearman's, signed so that 1 is perfect, with a bootstrap interval over runs. picked: the probe
    score of the run that it would keep, best: of the best run."""

    measure: str
    correlation: float
    low: float
    high: float
    picked: float
    best: float


def lines_of(outcomes: Sequence[Outcome]) -> list[Line]:
    """One line a measure that all runs have, best correlation first; on top what labels would do."""
    probe = np.array([outcome.probe for outcome in outcomes])
    found = [line(name, values, probe) for name, values in signed(outcomes).items()]
    labelled = line(CHOSEN, np.array([outcome.chosen for outcome in outcomes]), probe)
    return [labelled, *sorted(found, key=lambda one: -one.correlation)]


def signed(outcomes: Sequence[Outcome]) -> dict[str, np.ndarray]:
    """Name in print → (runs,) values, signed so that more is claimed to be better. α counts by its distance to 1."""
    shared = set.intersection(*(set(outcome.measures) for outcome in outcomes))
    values = {name: np.array([outcome.measures[name] for outcome in outcomes]) for name in shared}
    if "alpha" in values:
        values["alpha"] = np.abs(values["alpha"] - 1)
    if {"dimension", "learnability"} <= shared:
        values["clid"] = standardised(values["dimension"]) + standardised(values["learnability"])
    return {title: sign * values[name] for name, (title, sign) in BETTER.items() if name in values}


def standardised(values: np.ndarray) -> np.ndarray:
    """Mean 0, standard deviation 1."""
    return (values - values.mean()) / max(float(values.std()), 1e-12)


def line(name: str, values: np.ndarray, probe: np.ndarray) -> Line:
    """Correlation, its interval, and the pick of one measure."""
    rng = np.random.Generator(np.random.Philox(key=len(probe)))
    drawn = (rng.integers(len(probe), size=len(probe)) for _ in range(RESAMPLES))
    resampled = [correlation(values[rows], probe[rows]) for rows in drawn]
    low, high = np.nanpercentile(resampled, (2.5, 97.5))
    return Line(name, correlation(values, probe), float(low), float(high), float(probe[values.argmax()]), float(probe.max()))


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's; NaN where one does not vary."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def plot(outcomes: Sequence[Outcome], path: Path, score: str) -> None:
    """One panel a measure that the comparison is about, a dot a run, as SVG."""
    shown = {name: BETTER[name][0] for name in ("rank", "lidar", "alpha", "rank_uncentred", "learnability", "loss")}
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    lines = {one.measure: one for one in lines_of(outcomes)}
    for axes, (name, title) in zip(figure.subplots(2, 3, sharey=True).flat, shown.items()):
        have = [outcome for outcome in outcomes if name in outcome.measures]
        axes.scatter([one.measures[name] for one in have], [one.probe for one in have], s=18, color="#16697a", alpha=0.75, linewidth=0)
        said = f"ρ = {lines[title].correlation:.2f}" if title in lines else "not in all runs"
        axes.set_title(f"{title.partition(',')[0] if name == 'alpha' else title}   {said}", fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    figure.supylabel(score, fontsize=9)
    drawn = BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "jepakit"}):  # text stays text, and the same plot the same file
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    disk.replace_file(path, drawn.getvalue())
