"""Channel masking: whole channels (sensors, electrodes, columns) are hidden and predicted from the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np
from pydantic import Field

from jepakit.contracts.carriers import MAIN, Layout, MaskPlan
from jepakit.contracts.roles import Masker, MaskRequest
from jepakit.errors import ContractError
from jepakit.maskers.plans import Part, layout_of, make_plan
from jepakit.maskers.ranges import ShareRange, draw, part_of
from jepakit.settings import Settings


class ChannelSettings(Settings):
    """The default share is ours."""

    hide: ShareRange = Field(default=(0.25, 0.5), description="Share of the channels that are hidden; at least one is, and one is not.")
    contexts: int = Field(
        default=1, ge=1, description="Independent contexts a sample, each with its query; one target pass serves them all."
    )
    stream: str = Field(default=MAIN, description="The stream to mask.")


@final
class ChannelMasker(Masker):
    """One query: all valid tokens of the hidden channels. The context: all valid tokens of the others.

    The share is drawn once a batch, channels once a sample. Raises ContractError when valid tokens belong to fewer than two channels.
    """

    def __init__(self, settings: ChannelSettings) -> None:
        self.settings = settings

    def __call__(self, layouts: Mapping[str, Layout], request: MaskRequest) -> MaskPlan:
        layout = layout_of(layouts, self.settings.stream, at_least=2)
        channels = np.unique(layout.channel[layout.valid])
        if len(channels) < 2:
            raise ContractError(f"stream '{self.settings.stream}' has one channel, and hiding channels needs two: use another masker.")
        parts = [self._hide(layout, channels, request) for _ in range(self.settings.contexts)]
        return make_plan(parts, self.settings.stream, layout.valid)

    def _hide(self, layout: Layout, channels: np.ndarray, request: MaskRequest) -> Part:
        count = part_of(len(channels), draw(request.shared, self.settings.hide), leave=1)
        hidden = np.isin(layout.channel, request.rng.choice(channels, size=count, replace=False))
        return Part(layout.valid & ~hidden, (layout.valid & hidden)[None])
