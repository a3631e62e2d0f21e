"""Runs along the order of the tokens: contiguous targets, and a contiguous context of what they leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from jepakit.sdk import Context, ContractError, IndexSet, Layout, Masker, MaskPlan, MaskRequest, Query, Settings


def shares(pair: tuple[float, float]) -> tuple[float, float]:
    """ValueError unless the pair is a range within (0, 1]."""
    if not 0 < pair[0] <= pair[1] <= 1:
        raise ValueError(f"{list(pair)} is no range of shares; expected two numbers above 0 and up to 1, the smaller one first")
    return pair


Shares = Annotated[tuple[float, float], AfterValidator(shares)]


class RunSettings(Settings):
    """Defaults of Saito et al. 2024 (arXiv 2404.16432), section 4.1."""

    targets: int = Field(4, ge=1, description="runs that are predicted; they may overlap")
    target_ratio: Shares = Field((0.15, 0.2), description="length of each, as a share of all tokens")
    context_ratio: Shares = Field((0.4, 0.75), description="length of the context, as a share of the tokens that no target holds")
    contexts: int = Field(1, ge=1, description="contexts a sample, each with targets of its own; one target pass serves them all")
    stream: str = Field("main", description="the stream to mask")


class RunMasker(Masker):
    """Lengths are drawn once a batch, places once a sample (the published code draws places once a batch too)."""

    def __init__(self, settings: RunSettings) -> None:
        self.settings = settings

    def __call__(self, layouts: Mapping[str, Layout], request: MaskRequest) -> MaskPlan:
        stream, layout = self.settings.stream, layouts[self.settings.stream]
        sequence = np.arange(len(layout)) if layout.order is None else layout.order
        sequence = sequence[layout.valid[sequence]]
        total = len(sequence)
        if total < 2:
            raise ContractError(f"{total} valid tokens can't be split into context and target; drop the sample or use smaller groups")
        deals = [self._deal(sequence, request) for _ in range(self.settings.contexts)]
        asked = sum(len(np.unique(np.concatenate(runs))) for _, runs in deals)
        return MaskPlan(
            contexts=tuple(Context(ascending(seen), stream) for seen, _ in deals),
            queries=tuple(Query(ascending(run), context=number, stream=stream) for number, (_, runs) in enumerate(deals) for run in runs),
            info={
                "context_ratio": sum(len(seen) for seen, _ in deals) / (total * len(deals)),
                "query_ratio": asked / (total * len(deals)),
            },
        )

    def _deal(self, sequence: np.ndarray, request: MaskRequest) -> tuple[np.ndarray, list[np.ndarray]]:
        """One context and its target runs, as numbers of tokens."""
        settings, total = self.settings, len(sequence)
        share = request.shared.uniform(*settings.target_ratio), request.shared.uniform(*settings.context_ratio)
        length = min(max(1, round(total * share[0])), total - 1)
        starts = request.rng.integers(0, total - length + 1, size=settings.targets)
        asked = [sequence[start : start + length] for start in starts]
        left = sequence[~np.isin(np.arange(total), starts[:, None] + np.arange(length))]
        if not len(left):  # targets hold every token: all ask for the first one, since all plans of a batch need as many queries
            asked, left = asked[:1] * settings.targets, sequence[~np.isin(sequence, asked[0])]
        keep = max(1, round(len(left) * share[1]))
        first = int(request.rng.integers(0, len(left) - keep + 1))
        return left[first : first + keep], asked


def ascending(tokens: np.ndarray) -> IndexSet:
    """Numbers of tokens as plans hold them."""
    return IndexSet(np.sort(tokens).astype(np.int64))
