"""Tube masking (V-JEPA, Bardes et al. 2024, section 3.2): boxes that run through whole axes, by default the first one, time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np
from pydantic import Field

from jepakit.contracts.carriers import MAIN, Layout, MaskPlan
from jepakit.contracts.roles import Masker, MaskRequest
from jepakit.maskers.floor import Floor, floor_plan
from jepakit.maskers.geometry import fit_box
from jepakit.maskers.placement import TRIES
from jepakit.maskers.plans import Part, layout_of, make_plan
from jepakit.maskers.ranges import PositiveRange, ShareRange, count_true
from jepakit.settings import Settings


class TubeBlocks(Settings):
    """One kind of mask: the union of `number` boxes is hidden."""

    number: int = Field(ge=1, description="Boxes, which may overlap.")
    scale: ShareRange = Field(description="Share of the columns in each box.")
    aspect: PositiveRange = Field(
        default=(0.75, 1.5), description="Share of each remaining axis but the last that a box spans, relative to the last one's."
    )


PUBLISHED_BLOCKS = (TubeBlocks(number=8, scale=(0.15, 0.15)), TubeBlocks(number=2, scale=(0.7, 0.7)))
"""Short-range and long-range masks (Bardes et al. 2024, section 3.2 and appendix C)."""


class TubeSettings(Settings):
    """Defaults: Bardes et al. 2024, section 3.2."""

    blocks: tuple[TubeBlocks, ...] = Field(
        default=PUBLISHED_BLOCKS, min_length=1, description="Kinds of mask; each gives a context and a query."
    )
    through: tuple[str | int, ...] = Field(default=(0,), min_length=1, description="Names or numbers of the axes that tubes run through.")
    stream: str = Field(default=MAIN, description="The stream to mask.")


@final
class TubeMasker(Masker):
    """One context and one query a kind of mask: hidden tubes, and all that is not hidden. The query's kind is its number in `blocks`.

    Sizes are drawn once a batch, places once a sample. A draw that hides nothing or everything is drawn again; after TRIES draws
    everything but one random column is hidden.
    Raises ContractError for an unknown axis or fewer than two columns.
    """

    def __init__(self, settings: TubeSettings) -> None:
        self.settings = settings

    def __call__(self, layouts: Mapping[str, Layout], request: MaskRequest) -> MaskPlan:
        layout = layout_of(layouts, self.settings.stream, at_least=2)
        floor = floor_plan(layout, self.settings.through)
        parts = []
        for kind, blocks in enumerate(self.settings.blocks):
            hidden = layout.valid & _hidden_columns(floor, blocks, request)[floor.column]
            parts.append(Part(layout.valid & ~hidden, hidden[None], kind))
        return make_plan(parts, self.settings.stream, layout.valid)


def _hidden_columns(floor: Floor, blocks: TubeBlocks, request: MaskRequest) -> np.ndarray:
    """(M,) bool: at least one valid column hidden and one not."""
    box = fit_box(floor.coords, floor.valid, floor.grid, scale=blocks.scale, aspect=blocks.aspect, rng=request.shared)
    columns = count_true(floor.valid)
    for _ in range(TRIES):
        hidden = box.place(request.rng, blocks.number).any(axis=0) & floor.valid
        if 0 < count_true(hidden) < columns:
            return hidden
    hidden = floor.valid.copy()
    hidden[request.rng.choice(np.flatnonzero(floor.valid))] = False
    return hidden
