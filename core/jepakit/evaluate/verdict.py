"""Whether anything was learned, in one word and in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from jepakit.evaluate.scores import LOWER_IS_BETTER, interval
from jepakit.train.monitor import is_collapsed

Word = Literal["learned", "not learned", "unclear"]


@dataclass(frozen=True)
class Judged:
    """One contender under the first probe with all labels: its value and its bootstrap values (W,), paired between contenders."""

    metric: str
    value: float
    samples: np.ndarray


def judge(judged: Mapping[str, Judged], health: Mapping[str, Mapping[str, float]]) -> tuple[Word, str]:
    """Learned: better than untrained beyond the 95 % interval of the paired difference, not below raw, and not collapsed."""
    encoder, untrained, raw = judged["encoder"], judged["untrained"], judged.get("raw")
    low, high = _difference(encoder, untrained)
    beside = "" if raw is None else f", raw features {raw.value:.3f}"
    values = f"{encoder.metric.replace('_', ' ')} {encoder.value:.3f}; untrained {untrained.value:.3f}{beside}"
    if _collapsed(health):
        return "not learned", (
            f"The embeddings have collapsed (spread {health['encoder']['std']:.2g}, rank {health['encoder']['rank']:.3g}), which a "
            f"standardised probe cannot see ({values}). Train again with a slower target or a variance term."
        )
    if low > 0 and (raw is None or _sign(encoder) * (encoder.value - raw.value) >= 0):
        words = "beats itself untrained" if raw is None else "beats itself untrained and is not below raw features"
        return "learned", f"The encoder {words} ({values}; gain over untrained {low:.3f} to {high:.3f})."
    if high <= 0 or _sign(encoder) * (encoder.value - untrained.value) <= 0:
        return "not learned", f"The encoder is no better than itself untrained ({values}). Train longer, or look at the collapse watch."
    if raw is not None and _difference(encoder, raw)[1] < 0:
        return (
            "not learned",
            f"The encoder is below raw features ({values}): what it was trained on is not what the labels need, or too short.",
        )
    return "unclear", (
        f"The test samples are too few to tell ({values}; gain over untrained {low:.3f} to {high:.3f}). "
        "Train longer, or test on more samples."
    )


def few_labels(
    encoder: Mapping[int | str, Judged], untrained: Mapping[int | str, Judged], health: Mapping[str, Mapping[str, float]]
) -> str:
    """Where few labels a class tell the two apart beyond chance, that in one sentence; else "". Both by number of labels.

    All labels together can make up for what an encoder lacks; few can't, and few are what most users have. The verdict stays that of all.
    Nothing is said of embeddings that have collapsed: the probe is as blind to that here as there.
    """
    if _collapsed(health):
        return ""
    said: dict[str, list[str]] = {"ahead of": [], "behind": []}
    for budget in sorted(budget for budget in encoder if isinstance(budget, int) and budget in untrained):
        one, other = encoder[budget], untrained[budget]
        low, high = _difference(one, other)
        if low > 0 or high < 0:
            values = f"{one.value:.3f} against {other.value:.3f} with {budget} a class (gain {low:.3f} to {high:.3f})"
            said["ahead of" if low > 0 else "behind"].append(values)
    return " ".join(f"With few labels it is {place} itself untrained: {'; '.join(parts)}." for place, parts in said.items() if parts)


def _collapsed(health: Mapping[str, Mapping[str, float]]) -> bool:
    return bool(health["encoder"] and health["untrained"]) and is_collapsed(health["encoder"], health["untrained"])


def _difference(one: Judged, other: Judged) -> tuple[float, float]:
    """95 % interval of how much better `one` is, on the same resamples."""
    return interval(_sign(one) * (one.samples - other.samples))


def _sign(judged: Judged) -> float:
    return -1.0 if judged.metric in LOWER_IS_BETTER else 1.0
