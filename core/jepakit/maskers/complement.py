"""Complement: contexts of another masker, but every hidden token is predicted (V-JEPA 2, Assran et al. 2025: `full_complement`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np
from pydantic import Field, ValidationError, field_validator

from jepakit.contracts.carriers import MAIN, Layout, MaskPlan
from jepakit.contracts.roles import Masker, MaskRequest
from jepakit.errors import ContractError, unknown_name
from jepakit.maskers.ball import BallMasker, BallSettings
from jepakit.maskers.block import BlockMasker, BlockSettings
from jepakit.maskers.channel import ChannelMasker, ChannelSettings
from jepakit.maskers.plans import Part, layout_of, make_plan
from jepakit.maskers.random import RandomMasker, RandomSettings
from jepakit.maskers.span import SpanMasker, SpanSettings
from jepakit.maskers.tube import TubeMasker, TubeSettings
from jepakit.settings import Settings

INNER: Mapping[str, tuple[type[Settings], type[Any]]] = {
    "ball": (BallSettings, BallMasker),
    "block": (BlockSettings, BlockMasker),
    "channel": (ChannelSettings, ChannelMasker),
    "random": (RandomSettings, RandomMasker),
    "span": (SpanSettings, SpanMasker),
    "tube": (TubeSettings, TubeMasker),
}
"""Maskers that can be wrapped; all hide something of one stream."""


class ComplementSettings(Settings):
    """inner: {"name": "block", ...}, the options of the wrapped masker beside its name; kept complete, with defaults filled in."""

    inner: dict[str, Any] = Field(
        {"name": "block"}, validate_default=True, description="Name and options of the masker whose contexts are used."
    )

    @field_validator("inner")
    @classmethod
    def _known_and_complete(cls, inner: dict[str, Any]) -> dict[str, Any]:
        name = inner.get("name")
        if name not in INNER:
            raise ValueError(unknown_name("masker to wrap", str(name), INNER))
        try:
            return {"name": name, **_options(inner).model_dump()}
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, item['loc'])) or name}: {item['msg']}" for item in error.errors())
            raise ValueError(f"options of masker '{name}': {wrong}") from error


@final
class ComplementMasker(Masker):
    """One query a context, all valid tokens that the context does not hold, so that nothing hidden goes unpredicted.

    Contexts and their info are the inner masker's; the query takes the kind of the inner masker's first query of that context.
    Raises what the inner masker raises, and ContractError when a context leaves nothing to predict.
    """

    def __init__(self, settings: ComplementSettings) -> None:
        self.stream = str(settings.inner.get("stream", MAIN))
        self.inner: Masker = INNER[settings.inner["name"]][1](_options(settings.inner))

    def __call__(self, layouts: Mapping[str, Layout], request: MaskRequest) -> MaskPlan:
        valid = layout_of(layouts, self.stream, at_least=2).valid
        plan = self.inner(layouts, request)
        parts = [self._rest(context.positions.idx, valid, _kind(plan, number)) for number, context in enumerate(plan.contexts)]
        extra = {name: value for name, value in plan.info.items() if name not in ("context_ratio", "query_ratio")}
        return make_plan(parts, self.stream, valid, extra)

    def _rest(self, context: np.ndarray, valid: np.ndarray, kind: int) -> Part:
        seen = np.zeros(len(valid), dtype=bool)
        seen[context] = True
        hidden = valid & ~seen
        if not hidden.any():
            raise ContractError("the inner masker's context holds every valid token, so nothing is left to predict: let it hide more.")
        return Part(seen, hidden[None], kind)


def _options(inner: Mapping[str, Any]) -> Settings:
    return INNER[inner["name"]][0].model_validate({key: value for key, value in inner.items() if key != "name"})


def _kind(plan: MaskPlan, context: int) -> int:
    return next(query.kind for query in plan.queries if query.context == context)
