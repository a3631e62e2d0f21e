"""Span masking along one axis (Joshi et al. 2020, section 3.1, with an exact share): runs of consecutive positions are hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self, final

import numpy as np
from pydantic import Field, model_validator

from jepakit.contracts.carriers import MAIN, Layout, MaskPlan
from jepakit.contracts.roles import Masker, MaskRequest
from jepakit.errors import ContractError
from jepakit.maskers.plans import Part, axis_number, layout_of, make_plan
from jepakit.maskers.ranges import ShareRange, draw, part_of
from jepakit.settings import Settings


class SpanSettings(Settings):
    """The default share is that of the published masker tied over channels (Kim 2024: 60-70 % of the time slots)."""

    axis: str | int = Field(default=0, description="Name or number of the axis that spans run along, usually time.")
    hide: ShareRange = Field(default=(0.6, 0.7), description="Share of the positions that are hidden.")
    length: tuple[int, int] = Field(
        default=(2, 10), description="Shortest and longest span, in tokens; the last span of a row may be shorter."
    )
    tied: bool = Field(default=True, description="Hide the same positions in all channels and along all other axes.")
    contexts: int = Field(
        default=1, ge=1, description="Independent contexts a sample, each with its query; one target pass serves them all."
    )
    stream: str = Field(default=MAIN, description="The stream to mask.")

    @model_validator(mode="after")
    def _length_is_a_range(self) -> Self:
        if not 1 <= self.length[0] <= self.length[1]:
            raise ValueError(f"length: expected 1 <= shortest <= longest, got {self.length}")
        return self


@final
class SpanMasker(Masker):
    """One query, the hidden tokens; the context is the rest. Positions are ranks of the coordinate, so uneven spacing does no harm.

    Tied: positions are those of all valid tokens. Not tied: each row (one channel, one place on the other axes) gets spans of its own,
    and a row of a single token stays visible. The share is drawn once a batch, spans once a sample.
    Raises ContractError when no row has two positions.
    """

    def __init__(self, settings: SpanSettings) -> None:
        self.settings = settings

    def __call__(self, layouts: Mapping[str, Layout], request: MaskRequest) -> MaskPlan:
        layout = layout_of(layouts, self.settings.stream, at_least=2)
        axis = axis_number(layout, self.settings.axis)
        rows = [np.flatnonzero(layout.valid)] if self.settings.tied else _rows(layout, axis)
        ranked = [(tokens, *_ranks(layout.coords[tokens, axis])) for tokens in rows]
        parts = [self._hide(layout, ranked, request) for _ in range(self.settings.contexts)]
        return make_plan(parts, self.settings.stream, layout.valid)

    def _hide(self, layout: Layout, ranked: Sequence[tuple[np.ndarray, np.ndarray, int]], request: MaskRequest) -> Part:
        share = draw(request.shared, self.settings.hide)
        hidden = np.zeros(len(layout), dtype=bool)
        for tokens, position, count in ranked:
            if count > 1:
                hidden[tokens] = draw_spans(count, share, self.settings.length, request.rng)[position]
        if not hidden.any():
            raise ContractError(f"no two valid tokens of a row differ along axis {self.settings.axis!r}: there is nothing to span.")
        return Part(layout.valid & ~hidden, hidden[None])


def draw_spans(positions: int, share: float, length: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(positions,) bool, True = hidden: exactly `share` of them, rounded, in spans whose order with the visible positions is random.

    Visible positions and spans are beads on a string: shuffling them makes every arrangement of these spans equally likely.
    Two spans may touch. At least one position is hidden and one visible; `positions` >= 2.
    """
    hide = part_of(positions, share, leave=1)
    ends = np.minimum(np.cumsum(rng.integers(length[0], length[1], size=hide, endpoint=True)), hide)
    spans = ends.copy()
    spans[1:] -= ends[:-1]
    beads = rng.permutation(np.concatenate([spans[spans > 0], np.zeros(positions - hide, dtype=np.int64)]))
    hidden: np.ndarray = (beads > 0).repeat(np.maximum(beads, 1))
    return hidden


def _ranks(coordinate: np.ndarray) -> tuple[np.ndarray, int]:
    """The rank of every value among the different ones, and how many different ones there are."""
    times, position = np.unique(coordinate, return_inverse=True)
    return position, len(times)


def _rows(layout: Layout, axis: int) -> list[np.ndarray]:
    """Numbers of the valid tokens of each row: same channel, same place on all axes but one."""
    tokens = np.flatnonzero(layout.valid)
    place = np.column_stack([layout.channel[tokens], np.delete(layout.coords[tokens], axis, axis=1)])
    _, row = np.unique(place, axis=0, return_inverse=True)
    order = np.argsort(row.reshape(-1), kind="stable")
    return np.split(tokens[order], np.cumsum(np.bincount(row.reshape(-1)))[:-1])
