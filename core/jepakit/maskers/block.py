"""Multi-block masking on any number of axes (I-JEPA, Assran et al. 2023, section 3): target boxes, a large context box without them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self, final

from pydantic import Field, model_validator

from jepakit.contracts.carriers import MAIN, Layout, MaskPlan
from jepakit.contracts.roles import Masker, MaskRequest
from jepakit.maskers.geometry import fit_box
from jepakit.maskers.placement import Placement, needed, place_apart
from jepakit.maskers.plans import Part, layout_of, make_plan
from jepakit.maskers.published import published_blocks
from jepakit.maskers.ranges import PositiveRange, ShareRange, count_true
from jepakit.settings import Settings

MIN_KEEP = 0.1
"""Share of the valid tokens that a context holds at least; ours."""
PUBLISHED_MIN_KEEP = 10
"""Context tokens of the published configs (Assran et al. 2023, `min_keep`), where strictly more are asked for."""


class BlockSettings(Settings):
    """Defaults: Assran et al. 2023, section 3 and appendix A.1; min_keep is ours, because a count does not carry over to other grids."""

    targets: int = Field(default=4, ge=1, description="Target boxes a context.")
    target_scale: ShareRange = Field(default=(0.15, 0.2), description="Share of the tokens in each target box.")
    aspect: PositiveRange = Field(
        default=(0.75, 1.5), description="Share of each axis but the last that a target spans, relative to the last one's."
    )
    context_scale: ShareRange = Field(
        default=(0.85, 1.0), description="Share of the tokens in the context box, before targets are taken out."
    )
    min_keep: float | None = Field(
        default=None,
        gt=0,
        description="Fewest context tokens: a share of the valid ones below 1, a count from 1 on. None: 0.1; published: 10.",
    )
    contexts: int = Field(default=1, ge=1, description="Contexts a sample, each with targets of its own; one target pass serves them all.")
    allow_overlap: bool = Field(default=False, description="Leave the targets' tokens in the context.")
    published: bool = Field(
        default=False, description="Reproduce the published sampler with its defects; complete two-dimensional grids only."
    )
    stream: str = Field(default=MAIN, description="The stream to mask.")

    @model_validator(mode="after")
    def _published_has_one_context(self) -> Self:
        if self.published and self.contexts > 1:
            raise ValueError(f"published = true knows one context a sample, got contexts = {self.contexts}")
        return self


@final
class BlockMasker(Masker):
    """`targets` queries a context. Sizes are drawn once a batch, places once a sample, every place where a box fits equally likely.

    With a grid, boxes are boxes of grid cells. Without one, a box is centred on a random token and grown until it holds the drawn share.
    Targets may overlap each other; a query never shares a token with its context, unless `allow_overlap` or `published` is on. What
    happens when too little context is left: `placement.give_way`. info adds redraws and gave_way.
    Raises ContractError for fewer than two valid tokens.
    """

    def __init__(self, settings: BlockSettings) -> None:
        self.settings = settings

    def __call__(self, layouts: Mapping[str, Layout], request: MaskRequest) -> MaskPlan:
        settings = self.settings
        layout = layout_of(layouts, settings.stream, at_least=2)
        placements = [self._place(layout, request) for _ in range(settings.contexts)]
        info = {
            "redraws": sum(place.redraws for place in placements) / len(placements),
            "gave_way": sum(place.gave_way for place in placements) / len(placements),
        }
        return make_plan([Part(place.seen, place.asked) for place in placements], settings.stream, layout.valid, info)

    def _place(self, layout: Layout, request: MaskRequest) -> Placement:
        settings, where = self.settings, (layout.coords, layout.valid, layout.grid)
        if settings.published:
            return self._place_published(layout, request)
        target = fit_box(*where, scale=settings.target_scale, aspect=settings.aspect, rng=request.shared)
        context = fit_box(*where, scale=settings.context_scale, aspect=(1.0, 1.0), rng=request.shared)
        return place_apart(
            target,
            context,
            number=settings.targets,
            valid=layout.valid,
            need=needed(settings.min_keep or MIN_KEEP, count_true(layout.valid)),
            rng=request.rng,
            overlap=settings.allow_overlap,
        )

    def _place_published(self, layout: Layout, request: MaskRequest) -> Placement:
        settings = self.settings
        return published_blocks(
            layout,
            request,
            targets=settings.targets,
            target_scale=settings.target_scale,
            aspect=settings.aspect,
            context_scale=settings.context_scale,
            more_than=needed(settings.min_keep or PUBLISHED_MIN_KEEP, len(layout)),
            overlap=settings.allow_overlap,
        )
