"""No mask: everything is seen. For recipes that compare views or predict one stream from another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np
from pydantic import Field

from jepakit.contracts.carriers import MAIN, Context, IndexSet, Layout, MaskPlan, Query
from jepakit.contracts.roles import Masker, MaskRequest
from jepakit.maskers.plans import layout_of
from jepakit.settings import Settings


class FullSettings(Settings):
    """Which streams are seen and what is asked for."""

    streams: tuple[str, ...] = Field(default=(MAIN,), min_length=1, description="Streams that are encoded, one context each.")
    queries: bool = Field(
        default=True, description="Ask for all tokens once a context. False: no query at all, for objectives on contexts alone."
    )
    query_stream: str | None = Field(default=None, description="The stream that queries ask for. None: that of their context.")


@final
class FullMasker(Masker):
    """A context of all valid tokens for each of `streams`, and one query of all valid tokens of `query_stream` for each.

    A query in its context's own stream asks for tokens that are seen: here, and only here, the two are not disjoint by design.
    Nothing is random. Raises ContractError for a stream that is missing or has no valid token.
    """

    def __init__(self, settings: FullSettings) -> None:
        self.settings = settings

    def __call__(self, layouts: Mapping[str, Layout], request: MaskRequest) -> MaskPlan:
        settings = self.settings
        contexts = tuple(Context(_all_of(layouts, stream), stream) for stream in settings.streams)
        asked = [settings.query_stream or stream for stream in settings.streams] if settings.queries else []
        queries = tuple(Query(_all_of(layouts, stream), context=number, stream=stream) for number, stream in enumerate(asked))
        return MaskPlan(contexts, queries, info={"context_ratio": 1.0, "query_ratio": float(settings.queries)})


def _all_of(layouts: Mapping[str, Layout], stream: str) -> IndexSet:
    return IndexSet(idx=np.flatnonzero(layout_of(layouts, stream, at_least=1).valid).astype(np.int64, copy=False))
