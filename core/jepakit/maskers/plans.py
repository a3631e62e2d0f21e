"""From boolean masks over tokens to a `MaskPlan`, and what every masker checks before it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jepakit.contracts.carriers import Context, IndexSet, Layout, MaskPlan, Query
from jepakit.errors import ContractError, unknown_name
from jepakit.maskers.ranges import count_true


@dataclass(frozen=True)
class Part:
    """One context and its queries. seen: (N,) bool. asked: (Q, N) bool, one row a query, none of them all False."""

    seen: np.ndarray
    asked: np.ndarray
    kind: int = 0


def layout_of(layouts: Mapping[str, Layout], stream: str, *, at_least: int) -> Layout:
    """The layout of one stream. Raises ContractError when there is none or it has fewer than `at_least` valid tokens."""
    if stream not in layouts:
        raise ContractError(unknown_name("stream with a layout", stream, layouts))
    layout = layouts[stream]
    valid = count_true(layout.valid)
    if valid < at_least:
        raise ContractError(
            f"stream '{stream}' has {valid} valid tokens and this masker needs {at_least}: drop the sample or use smaller tokens."
        )
    return layout


def axis_number(layout: Layout, axis: str | int) -> int:
    """Number of a coordinate axis given by name or number. Raises ContractError for one that the layout lacks."""
    if isinstance(axis, str):
        if axis not in layout.axes:
            raise ContractError(unknown_name("coordinate axis", axis, layout.axes))
        return layout.axes.index(axis)
    count = len(layout.axes)
    if not -count <= axis < count:
        raise ContractError(f"no coordinate axis number {axis}: the tokens have {count} axes ({', '.join(layout.axes)}).")
    return axis % count


def make_plan(parts: Sequence[Part], stream: str, valid: np.ndarray, info: Mapping[str, float] | None = None) -> MaskPlan:
    """Contexts and queries of one stream. valid: (N,) bool.

    info holds, averaged over contexts: context_ratio, the share of valid tokens that are seen; query_ratio, the share that some
    query asks for.
    """
    total = count_true(valid) * len(parts)
    seen = sum(count_true(part.seen) for part in parts)
    asked = sum(count_true(part.asked.any(axis=0)) for part in parts)
    return MaskPlan(
        contexts=tuple(Context(_indices(part.seen), stream) for part in parts),
        queries=tuple(
            Query(_indices(row), context=number, stream=stream, kind=part.kind) for number, part in enumerate(parts) for row in part.asked
        ),
        info={"context_ratio": seen / total, "query_ratio": asked / total, **(info or {})},
    )


def _indices(mask: np.ndarray) -> IndexSet:
    return IndexSet(idx=mask.nonzero()[0].astype(np.int64, copy=False))
