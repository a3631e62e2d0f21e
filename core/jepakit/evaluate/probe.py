"""What a probe is: an estimator in the manner of scikit-learn, with options to choose from on training samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Probe:
    """One kind of probe. make: (option, rows it will be fitted on) → an unfitted estimator with fit, predict and score.

    grid: options to choose from. few: the option for a budget of labels a class. wants: one vector a sample (M, F), standardised, or all
    tokens (M, N, D) float16 as they left the encoder; samples without features of that form have no row of this probe. climbs: options
    stand in order of cost, and those after the first that does worse than the one before it aren't tried.
    """

    name: str
    make: Callable[[float, int], Any]
    grid: tuple[float, ...]
    few: Callable[[int], float]
    wants: Literal["vector", "tokens"] = "vector"
    climbs: bool = False
