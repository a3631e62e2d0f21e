"""Random masking: a context of random tokens, everything else is predicted (masked autoencoding, He et al. 2022, section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np
from pydantic import Field

from jepakit.contracts.carriers import MAIN, Layout, MaskPlan
from jepakit.contracts.roles import Masker, MaskRequest
from jepakit.maskers.plans import Part, layout_of, make_plan
from jepakit.maskers.ranges import ShareRange, draw, part_of
from jepakit.settings import Settings


class RandomSettings(Settings):
    """The default share is that of the published one-dimensional masker of Weimann and Conrad 2024 (keep 15-25 %)."""

    keep: ShareRange = Field(default=(0.15, 0.25), description="Share of the valid tokens in the context.")
    queries: int = Field(
        default=1, ge=1, description="Query sets that the hidden tokens are dealt out to, of equal size but for one token."
    )
    contexts: int = Field(
        1, ge=1, description="Independent contexts a sample, each with queries of its own; one target pass serves them all."
    )
    stream: str = Field(default=MAIN, description="The stream to mask.")


@final
class RandomMasker(Masker):
    """The share is drawn once a batch, tokens once a sample. Context and queries together are all valid tokens.

    Raises ContractError for fewer valid tokens than `queries` + 1.
    """

    def __init__(self, settings: RandomSettings) -> None:
        self.settings = settings

    def __call__(self, layouts: Mapping[str, Layout], request: MaskRequest) -> MaskPlan:
        settings = self.settings
        layout = layout_of(layouts, settings.stream, at_least=settings.queries + 1)
        parts = [self._deal(layout.valid, request) for _ in range(settings.contexts)]
        return make_plan(parts, settings.stream, layout.valid)

    def _deal(self, valid: np.ndarray, request: MaskRequest) -> Part:
        tokens = request.rng.permutation(np.flatnonzero(valid))
        keep = part_of(len(tokens), draw(request.shared, self.settings.keep), leave=self.settings.queries)
        seen = np.zeros(len(valid), dtype=bool)
        seen[tokens[:keep]] = True
        asked = np.zeros((self.settings.queries, len(valid)), dtype=bool)
        asked[np.arange(len(tokens) - keep) % self.settings.queries, tokens[keep:]] = True
        return Part(seen, asked)
