"""The masks of A-JEPA: blocks of the spectrogram early in training, whole ranges of time or frequency late."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, final

import numpy as np
from pydantic import AfterValidator, Field

from jepakit.sdk import Context, ContractError, IndexSet, Layout, Masker, MaskPlan, MaskRequest, Query, Settings

STREAM = "main"


def rising(pair: tuple[float, float]) -> tuple[float, float]:
    """ValueError unless the pair is the lower and the upper end of a range above zero."""
    if not 0 < pair[0] <= pair[1]:
        raise ValueError(f"{list(pair)} is no range; expected two numbers above zero, the smaller one first")
    return pair


def within_one(pair: tuple[float, float]) -> tuple[float, float]:
    """ValueError unless both are from 0 to 1 and the second is not smaller."""
    if not 0 <= pair[0] <= pair[1] <= 1:
        raise ValueError(f"{list(pair)}: expected two shares of the training, from 0 to 1, the smaller one first")
    return pair


Range = Annotated[tuple[float, float], AfterValidator(rising)]


class TimeFrequencySettings(Settings):
    """Options. Blocks as in I-JEPA (arXiv 2301.08243, appendix A), the curriculum of A-JEPA (arXiv 2311.15830, section 3.3)."""

    targets: int = Field(4, ge=1, description="blocks to predict, a query each")
    scale: Range = Field((0.15, 0.2), description="area of a block as a share of the clip")
    aspect: Range = Field((0.75, 1.5), description="bands over time steps of a block")
    anneal: Annotated[tuple[float, float], AfterValidator(within_one)] = Field(
        (0.1, 0.9), description="shares of the training at which whole ranges start to be hidden and at which they always are"
    )
    keep: float = Field(0.1, gt=0, lt=1, description="share of the tokens that the context keeps at least; ranges are hidden while it does")


@final
class TimeFrequencyMasker(Masker):
    """Blocks are predicted from what is left; with a chance that rises over the training, more than the blocks is taken away.

    Then a batch loses, for every block, all tokens of the same times, or all of the same bands: next to a block, in time and in
    frequency, a spectrogram says so much about it that filling it in needs no understanding.
    Raises ContractError for fewer than two valid tokens.
    """

    def __init__(self, settings: TimeFrequencySettings) -> None:
        self.settings = settings

    def __call__(self, layouts: Mapping[str, Layout], request: MaskRequest) -> MaskPlan:
        layout = layouts[STREAM]
        whole, axis = request.shared.random() < self.chance(request.progress), int(request.shared.integers(2))
        size = self.size(request.shared)
        total = int(layout.valid.sum())
        if total < 2:
            raise ContractError(f"the clip has {total} valid tokens and a block needs two; use longer clips or shorter tokens")
        least = max(1, round(self.settings.keep * total))
        blocks = self.blocks(layout, size, least, request.rng)
        hidden = blocks.any(axis=0)
        for block in blocks if whole else ():
            more = hidden | in_range(layout, block, axis)
            hidden = more if (layout.valid & ~more).sum() >= least else hidden
        seen = layout.valid & ~hidden
        return MaskPlan(
            contexts=(Context(indices(seen), STREAM),),
            queries=tuple(Query(indices(block), stream=STREAM) for block in blocks),
            info={"context_ratio": float(seen.sum()) / total, "whole_ranges": float(whole)},
        )

    def chance(self, progress: float) -> float:
        """Of hiding whole ranges: 0, then rising in a straight line, then 1."""
        start, end = self.settings.anneal
        return float(np.interp(progress, (start, max(end, start + 1e-9)), (0.0, 1.0)))

    def size(self, rng: np.random.Generator) -> tuple[float, float]:
        """Share of the time steps and of the bands that a block of this batch spans."""
        area, aspect = rng.uniform(*self.settings.scale), np.exp(rng.uniform(*np.log(self.settings.aspect)))
        return float(np.sqrt(area / aspect)), float(np.sqrt(area * aspect))

    def blocks(self, layout: Layout, size: tuple[float, float], least: int, rng: np.random.Generator) -> np.ndarray:
        """(targets, N) bool, none empty. Where the context would keep fewer than `least`, earlier blocks are asked for twice."""
        drawn = [self.block(layout, size, rng) for _ in range(self.settings.targets)]
        kept = drawn[:1]
        for block in drawn[1:]:
            if (layout.valid & ~np.any([*kept, block], axis=0)).sum() >= least:
                kept.append(block)
        return np.stack([kept[number % len(kept)] for number in range(self.settings.targets)])

    def block(self, layout: Layout, size: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
        """(N,) bool: the valid tokens of a rectangle about a random one of them, never all."""
        places = np.flatnonzero(layout.valid)
        centre = layout.coords[rng.choice(places)]
        inside = layout.valid.copy()
        for axis, share in enumerate(size):
            steps = np.unique(layout.coords[places, axis])
            length = max(1, round(share * len(steps)))
            first = int(np.searchsorted(steps, centre[axis])) - int(rng.integers(length))
            first = min(max(first, 0), len(steps) - length)
            inside &= np.isin(layout.coords[:, axis], steps[first : first + length])
        if (layout.valid & ~inside).any():
            return inside
        one = np.zeros(len(layout), dtype=bool)
        one[rng.choice(places)] = True
        return one


def in_range(layout: Layout, block: np.ndarray, axis: int) -> np.ndarray:
    """(N,) bool: tokens at a place along the axis where the block has one."""
    return np.isin(layout.coords[:, axis], layout.coords[block, axis])


def indices(mask: np.ndarray) -> IndexSet:
    """The plan's form of a mask."""
    return IndexSet(np.flatnonzero(mask).astype(np.int64))
