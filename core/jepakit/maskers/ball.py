"""Ball masking in coordinate space: for tokens that lie anywhere (S-JEPA, Guetschel et al. 2024, spatial blocks)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, final

from pydantic import Field

from jepakit.contracts.carriers import MAIN, Layout, MaskPlan
from jepakit.contracts.roles import Masker, MaskRequest
from jepakit.maskers.geometry import Ball
from jepakit.maskers.placement import Placement, needed, place_apart
from jepakit.maskers.plans import Part, layout_of, make_plan
from jepakit.maskers.ranges import ShareRange, count_true, draw, part_of
from jepakit.settings import Settings


class BallSettings(Settings):
    """Defaults: shares of Saito et al. 2024 (2404.16432), section 3, with balls in place of runs along a locality order."""

    targets: int = Field(default=4, ge=1, description="Target balls a context.")
    target_ratio: ShareRange = Field(default=(0.15, 0.2), description="Share of the valid tokens in each target ball.")
    context: Literal["rest", "ball"] = Field(default="rest", description="All other tokens, or those of a further ball.")
    context_ratio: ShareRange = Field(
        (0.4, 0.75), description="Share of the valid tokens in the context ball, before targets are taken out."
    )
    min_keep: float = Field(default=0.1, gt=0, description="Fewest context tokens: a share of the valid ones below 1, a count from 1 on.")
    contexts: int = Field(default=1, ge=1, description="Contexts a sample, each with targets of its own; one target pass serves them all.")
    stream: str = Field(default=MAIN, description="The stream to mask.")


@final
class BallMasker(Masker):
    """`targets` queries a context: Euclidean balls around random valid tokens, each grown until it holds the drawn share of them.

    Equal shares instead of equal radii keep the number of tokens a query the same where density varies, and over the batch. All axes of
    the coordinates count alike and must have one unit. Targets may overlap each other, never their context; `placement.give_way` says
    what happens when too little context is left. Raises ContractError for fewer than two valid tokens.
    """

    def __init__(self, settings: BallSettings) -> None:
        self.settings = settings

    def __call__(self, layouts: Mapping[str, Layout], request: MaskRequest) -> MaskPlan:
        layout = layout_of(layouts, self.settings.stream, at_least=2)
        placements = [self._place(layout, request) for _ in range(self.settings.contexts)]
        info = {
            "redraws": sum(place.redraws for place in placements) / len(placements),
            "gave_way": sum(place.gave_way for place in placements) / len(placements),
        }
        return make_plan([Part(place.seen, place.asked) for place in placements], self.settings.stream, layout.valid, info)

    def _place(self, layout: Layout, request: MaskRequest) -> Placement:
        settings, total = self.settings, count_true(layout.valid)
        target_count = part_of(total, draw(request.shared, settings.target_ratio), leave=0)
        context_count = part_of(total, draw(request.shared, settings.context_ratio), leave=0)
        return place_apart(
            Ball(layout.coords, layout.valid, target_count),
            Ball(layout.coords, layout.valid, context_count) if settings.context == "ball" else None,
            number=settings.targets,
            valid=layout.valid,
            need=needed(settings.min_keep, total),
            rng=request.rng,
        )
