"""The past is seen, the future is asked for (VJ-VCR, arXiv 2412.10925, section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from jepakit.sdk import Context, ContractError, IndexSet, Layout, Masker, MaskPlan, MaskRequest, Query, Settings


def shares(pair: tuple[float, float]) -> tuple[float, float]:
    """ValueError unless the pair is a range within (0, 1)."""
    if not 0 < pair[0] <= pair[1] < 1:
        raise ValueError(f"{list(pair)} is no range of shares; expected two numbers between 0 and 1, the smaller one first")
    return pair


class FutureSettings(Settings):
    """Where the present lies."""

    seen: Annotated[tuple[float, float], AfterValidator(shares)] = Field((0.25, 0.75), description="share of the moments that are past")
    axis: str = Field("t", description="the axis that is time")
    stream: str = Field("main", description="the stream to mask")


class FutureMasker(Masker):
    """One context of all tokens before a moment, one query of all from it on. The moment is drawn once a batch."""

    def __init__(self, settings: FutureSettings) -> None:
        self.settings = settings

    def __call__(self, layouts: Mapping[str, Layout], request: MaskRequest) -> MaskPlan:
        layout = layouts[self.settings.stream]
        if self.settings.axis not in layout.axes:
            raise ContractError(f"no axis '{self.settings.axis}' among {', '.join(layout.axes)}; set masker.axis to the one that is time")
        time = layout.coords[:, layout.axes.index(self.settings.axis)]
        moments = np.unique(time[layout.valid])
        if len(moments) < 2:
            raise ContractError(
                f"{len(moments)} moments are no past and future; take longer clips (::frames) or shorter tubelets (tokenizer.frames)"
            )
        share = request.shared.uniform(*self.settings.seen)
        present = moments[min(max(1, round(share * len(moments))), len(moments) - 1)]
        past, coming = layout.valid & (time < present), layout.valid & (time >= present)
        total = int(layout.valid.sum())
        return MaskPlan(
            contexts=(Context(numbers(past), self.settings.stream),),
            queries=(Query(numbers(coming), stream=self.settings.stream),),
            info={"context_ratio": int(past.sum()) / total, "query_ratio": int(coming.sum()) / total},
        )


def numbers(mask: np.ndarray) -> IndexSet:
    """The positions where a mask is True."""
    return IndexSet(idx=np.flatnonzero(mask).astype(np.int64, copy=False))
