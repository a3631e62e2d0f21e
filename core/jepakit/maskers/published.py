"""The multi-block sampler as published with I-JEPA (Assran et al. 2023), its defects included, re-derived from their description.

It exists so that published numbers can be reproduced. It differs from the sampler in `block` in four ways:

- a place is drawn below n - size instead of up to it, so no box ever touches the last row or column; with 85-100 % of a 14 x 14 grid
  the context box is therefore always the same 13 x 13, at the top left;
- one random number sets both scale and aspect, so that few shapes occur and a large target is always a tall one;
- sizes are rounded side by side and kept strictly below the grid's;
- when 20 draws in a row leave too little context, one target is no longer kept out of it: the context may then contain that target.
"""

from __future__ import annotations

from math import sqrt

from jepakit.contracts.carriers import Layout
from jepakit.contracts.roles import MaskRequest
from jepakit.errors import ContractError
from jepakit.maskers.geometry import GridBox
from jepakit.maskers.placement import TRIES, Placement
from jepakit.maskers.ranges import count_true

Range = tuple[float, float]


def published_blocks(
    layout: Layout,
    request: MaskRequest,
    *,
    targets: int,
    target_scale: Range,
    aspect: Range,
    context_scale: Range,
    more_than: int,
    overlap: bool,
) -> Placement:
    """Targets and context on a complete two-dimensional grid of at least 2 x 2 tokens; ContractError for any other layout."""
    grid = _flat_grid(layout)
    target = _box(grid, request.shared.random(), target_scale, aspect)
    context = _box(grid, request.shared.random(), context_scale, (1.0, 1.0))
    asked = target.place(request.rng, targets)
    redraws = 0
    for kept_out in range(0 if overlap else targets, -1, -1):
        free = ~asked[:kept_out].any(axis=0)
        for _ in range(TRIES):
            seen = context.place(request.rng, 1)[0] & free
            if count_true(seen) > more_than:
                return Placement(seen, asked, redraws, gave_way=kept_out < targets and not overlap)
            redraws += 1
    # The published loop never ends here, on grids whose whole context box is too small; we take the box.
    return Placement(seen, asked, redraws, gave_way=True)


def _flat_grid(layout: Layout) -> tuple[int, int]:
    grid = layout.grid
    if grid is None or len(grid) != 2 or min(grid) < 2 or not layout.valid.all():
        raise ContractError(
            f"published = true needs a complete two-dimensional grid of at least 2 x 2 tokens, got grid {grid} with "
            f"{count_true(layout.valid)} of {len(layout)} tokens valid; set published = false."
        )
    return grid[0], grid[1]


def _box(grid: tuple[int, int], chance: float, scale: Range, aspect: Range) -> GridBox:
    """The box for one random number."""
    area = int(grid[0] * grid[1] * (scale[0] + chance * (scale[1] - scale[0])))
    ratio = aspect[0] + chance * (aspect[1] - aspect[0])
    wanted = (sqrt(area * ratio), sqrt(area / ratio))
    size = tuple(max(1, min(round(side), n - 1)) for side, n in zip(wanted, grid, strict=True))
    return GridBox(grid, size, unused=1)
