"""Context and target of AD-L-JEPA: what one stream holds is predicted from another, occupied cells counting more than empty ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import Field

from jepakit.sdk import Context, ContractError, IndexSet, Layout, Masker, MaskPlan, MaskRequest, Query, Settings
from jepakit_lidar.tokenizer import EMPTY


class HalvesMaskerSettings(Settings):
    """Defaults: AD-L-JEPA (arXiv 2501.04969), section 3.4, but for `both`, which uses either half as context."""

    occupied: float = Field(0.75, gt=0, lt=1, description="weight of all occupied cells of a target; empty ones share what is left")
    both: bool = Field(True, description="each stream is predicted from the other; False: rest from main only")


class HalvesMasker(Masker):
    """All of "main" is context and all of "rest" is asked for, and the reverse. The target encoder then sees the complement alone.

    Of a sample without "rest", seen through no view, a random half of the cells is hidden.
    """

    def __init__(self, settings: HalvesMaskerSettings) -> None:
        self.settings = settings

    def __call__(self, layouts: Mapping[str, Layout], request: MaskRequest) -> MaskPlan:
        if "rest" not in layouts:
            return self._within(layouts["main"], request)
        names = ("main", "rest")
        for name in names:
            if not layouts[name].valid.any():
                raise ContractError(f"stream '{name}' holds no cell; use view lidar-halves")
        pairs = ((0, names[1]), (1, names[0])) if self.settings.both else ((0, names[1]),)
        whole = {name: np.flatnonzero(layouts[name].valid).astype(np.int64) for name in names}
        total = len(whole["main"]) + len(whole["rest"])
        return MaskPlan(
            contexts=tuple(Context(IndexSet(whole[name]), name) for name in names[: len(pairs)]),
            queries=tuple(Query(self._weighed(layouts[name], whole[name]), context, name) for context, name in pairs),
            info={"context_ratio": len(whole["main"]) / total, "query_ratio": len(whole["rest"]) / total},
        )

    def _weighed(self, layout: Layout, idx: np.ndarray) -> IndexSet:
        """Weights whose mean is one, unless a kind of cell is missing."""
        empty = layout.channel[idx] == EMPTY
        share = np.where(empty, (1 - self.settings.occupied) / max(empty.sum(), 1), self.settings.occupied / max((~empty).sum(), 1))
        return IndexSet(idx, weight=(share * len(idx)).astype(np.float32))

    def _within(self, layout: Layout, request: MaskRequest) -> MaskPlan:
        cells = np.flatnonzero(layout.valid).astype(np.int64)
        if len(cells) < 2:
            raise ContractError(f"{len(cells)} valid tokens can't be split into context and target; drop the sample or use smaller cells")
        order = request.rng.permutation(cells)
        seen, asked = np.sort(order[: len(cells) // 2]), np.sort(order[len(cells) // 2 :])
        halves = ((seen, asked), (asked, seen)) if self.settings.both else ((seen, asked),)
        return MaskPlan(
            contexts=tuple(Context(IndexSet(own)) for own, _ in halves),
            queries=tuple(Query(self._weighed(layout, other), number) for number, (_, other) in enumerate(halves)),
            info={"context_ratio": len(seen) / len(cells), "query_ratio": len(asked) / len(cells)},
        )
