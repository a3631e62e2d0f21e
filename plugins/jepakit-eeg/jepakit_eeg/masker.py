"""Electrode-space masking: a region of the head is hidden for the whole time (Guetschel et al. 2024, arXiv 2403.11772, section 2)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import Field

from jepakit.sdk import Context, ContractError, IndexSet, Layout, Masker, MaskPlan, MaskRequest, Query, Settings

SPACE = ("x", "y", "z")


class RegionSettings(Settings):
    """Options of the masker."""

    hide: tuple[float, float] = Field((0.4, 0.8), description="share of the electrodes that a region holds: lowest and highest")
    contexts: int = Field(1, ge=1, description="regions a sample, each hidden from a context of its own; one target pass serves them all")
    stream: str = Field("main", description="the stream to mask")


class RegionMasker(Masker):
    """One query a context: all tokens of a random electrode and of its nearest neighbours; the context is the rest of the head.

    The paper draws discs of 40, 60 or 80 % of the head's size. Here a region holds a drawn share of the electrodes, which the samples of a
    batch share, so that contexts have equal length and sparse montages keep at least one electrode on each side.
    ContractError for tokens without the axes x, y, z and for samples of a single electrode.
    """

    def __init__(self, settings: RegionSettings) -> None:
        low, high = settings.hide
        if not 0 < low <= high < 1:
            raise ContractError(f"hide={low:g}, {high:g}: expected 0 < lowest <= highest < 1")
        self.settings = settings

    def __call__(self, layouts: Mapping[str, Layout], request: MaskRequest) -> MaskPlan:
        layout = layouts[self.settings.stream]
        if not set(SPACE) <= set(layout.axes):
            raise ContractError(f"tokens lie on the axes {', '.join(layout.axes)}; hiding regions of the head needs x, y, z")
        regions = [self._region(layout, request) for _ in range(self.settings.contexts)]
        visible = [np.flatnonzero(layout.valid & ~region) for region in regions]
        hidden = [np.flatnonzero(layout.valid & region) for region in regions]
        total = max(int(layout.valid.sum()), 1) * len(regions)
        return MaskPlan(
            contexts=tuple(Context(IndexSet(idx=idx), self.settings.stream) for idx in visible),
            queries=tuple(Query(IndexSet(idx=idx), context=number, stream=self.settings.stream) for number, idx in enumerate(hidden)),
            info={"context_ratio": sum(map(len, visible)) / total, "query_ratio": sum(map(len, hidden)) / total},
        )

    def _region(self, layout: Layout, request: MaskRequest) -> np.ndarray:
        """(N,) bool: tokens of the electrodes nearest to a random one."""
        low, high = self.settings.hide
        share = request.shared.uniform(low, high)
        channels, first = np.unique(np.where(layout.valid, layout.channel, -1), return_index=True)
        first = first[channels >= 0]
        channels = channels[channels >= 0]
        if len(channels) < 2:
            raise ContractError("a sample has a single electrode, and hiding a region needs two: use masker span on axis t")
        place = layout.coords[first][:, [layout.axes.index(axis) for axis in SPACE]]
        count = min(max(1, round(share * len(channels))), len(channels) - 1)
        far = np.linalg.norm(place - place[request.rng.integers(len(place))], axis=1)
        return np.isin(layout.channel, channels[np.argsort(far, kind="stable")[:count]])
