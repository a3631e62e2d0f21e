"""What every masker promises: index sets inside valid tokens, disjoint, seeded by its request, covering everything over many draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from jepakit.contracts import Layout, Masker, MaskPlan, MaskRequest
from jepakit.contracts.carriers import MAIN
from jepakit.data.collate import batch_plans
from jepakit.errors import ContractError
from jepakit.layouts import grid_layout
from jepakit.testing.check import Check, expect
from jepakit.testing.compare import travelled, unchanged_globals

DRAWS = 200
"""Draws a layout in which every token must have been context and target: at a share of 2 % one is missed with probability 0.02."""
Layouts = Mapping[str, Layout]


def standard_layouts() -> dict[str, Layouts]:
    """Kinds of layouts that data come in: a plane, a plane with gaps, leads in time, a line, a cloud of points."""
    rng = np.random.Generator(np.random.Philox(key=[7, 0]))
    plane = grid_layout((8, 8), ("y", "x"))
    gaps = Layout(plane.coords, rng.random(64) > 0.2, plane.channel, plane.axes)
    cloud = Layout(rng.normal(size=(60, 3)).astype(np.float32), np.arange(60) < 50, np.zeros(60, np.int16), ("x", "y", "z"))
    leads = grid_layout((6, 20), ("channel", "t"), channel_axis="channel")
    kinds = {"plane": plane, "gaps": gaps, "leads": leads, "line": grid_layout((40,), ("t",)), "cloud": cloud}
    return {name: {MAIN: layout} for name, layout in kinds.items()}


def check_masker(masker: Masker, layouts: Sequence[Layouts] = ()) -> Iterator[Check]:
    """Checks of one masker.

    Args:
        layouts: of samples it is meant for, each a mapping from stream to layout. Left out: those of `standard_layouts` that it
            accepts; it may refuse the others by a ContractError.
    """
    usable = partial(_usable, masker, list(layouts))
    for name, run, remedy in (
        ("well_formed", _well_formed, "return sorted, unique int64 indices of valid tokens; see IndexSet and MaskPlan"),
        ("disjoint", _disjoint, "take the context's tokens out of every query that it conditions"),
        ("seeded", _seeded, "draw from request.rng and request.shared only, never from a global generator"),
        ("random", _random, "draw something from request.rng, or every epoch shows the same masks"),
        ("pure", _pure, "work on copies: layouts are shared by all samples of a batch"),
        ("covers", _covers, "let every valid token be seen by a context and asked by a query now and then"),
        ("collates", _collates, "draw what fixes the number of contexts and queries from request.shared"),
        ("honest_info", _honest_info, "info['context_ratio'] is the share of valid tokens in the context"),
        ("tiny", _tiny, "raise ContractError for a sample with too few tokens"),
        ("spawns", _spawns, "keep settings and arrays in the masker, no lambdas, generators or open files"),
    ):
        yield Check(f"masker.{name}", partial(_on, run, masker, usable), remedy)


def _on(run: Any, masker: Masker, usable: Any) -> None:
    run(masker, usable())


def request(seed: int, tokens: Layouts, phase: str = "collate") -> MaskRequest:
    """A request as training makes it: the sample's own generator, one for the batch, hints in the phase that has them."""
    hints = []
    if phase == "teacher":
        made = np.random.Generator(np.random.Philox(key=[seed, 3]))
        hints = [made.normal(size=(len(layout), 16)).astype(np.float32) for layout in tokens.values()]
    return MaskRequest(
        rng=np.random.Generator(np.random.Philox(key=[seed, 1])), shared=np.random.Generator(np.random.Philox(key=[0, 2])), hints=hints
    )


def draw(masker: Masker, layouts: Layouts, seed: int) -> MaskPlan:
    """The plan of draw number `seed`, with a batch of its own."""
    asked = request(seed, layouts, masker.phase)
    return masker(layouts, MaskRequest(asked.rng, np.random.Generator(np.random.Philox(key=[seed, 2])), hints=asked.hints))


def _usable(masker: Masker, given: list[Layouts]) -> list[Layouts]:
    if given:
        return given
    found, refused = [], []
    for name, layouts in standard_layouts().items():
        try:
            masker(layouts, request(0, layouts, masker.phase))
            found.append(layouts)
        except ContractError as error:
            refused.append(f"{name}: {error}")
    expect(bool(found), f"it accepts none of the standard layouts ({'; '.join(refused)})")
    return found


def _well_formed(masker: Masker, usable: list[Layouts]) -> None:
    for layouts in usable:
        for seed in range(20):
            plan = draw(masker, layouts, seed)
            expect(len(plan.contexts) > 0, "the plan has no context")
            for number, context in enumerate(plan.contexts):
                _index_set(context.positions, layouts, context.stream, f"context {number}")
            for number, query in enumerate(plan.queries):
                _index_set(query.positions, layouts, query.stream, f"query {number}")
                expect(
                    0 <= query.context < len(plan.contexts), f"query {number} is of context {query.context}, there are {len(plan.contexts)}"
                )


def _index_set(positions: Any, layouts: Layouts, stream: str, what: str) -> None:
    expect(stream in layouts, f"{what} lies in stream '{stream}', the sample has {', '.join(layouts)}")
    idx, valid = positions.idx, layouts[stream].valid
    expect(
        isinstance(idx, np.ndarray) and idx.dtype == np.int64 and idx.ndim == 1,
        f"{what}: idx must be a 1-D int64 array, it is {_kind(idx)}",
    )
    expect(len(idx) > 0, f"{what} is empty")
    expect(bool((np.diff(idx) > 0).all()), f"{what}: idx is not sorted, or holds a token twice")
    expect(idx[0] >= 0 and idx[-1] < len(valid), f"{what}: idx reaches from {idx[0]} to {idx[-1]}, there are {len(valid)} tokens")
    expect(bool(valid[idx].all()), f"{what} holds {int((~valid[idx]).sum())} tokens that are not valid")


def _kind(value: Any) -> str:
    return f"a {value.ndim}-D {value.dtype} array" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"


def _disjoint(masker: Masker, usable: list[Layouts]) -> None:
    for layouts in usable:
        for seed in range(20):
            plan = draw(masker, layouts, seed)
            for number, query in enumerate(plan.queries):
                context = plan.contexts[query.context]
                if context.stream == query.stream:
                    both = np.intersect1d(context.positions.idx, query.positions.idx)
                    expect(len(both) == 0, f"query {number} asks for {len(both)} tokens that its context sees (draw {seed})")


def _same(ours: MaskPlan, theirs: MaskPlan) -> bool:
    parts: tuple[list[Any], list[Any]] = [*ours.contexts, *ours.queries], [*theirs.contexts, *theirs.queries]
    return len(parts[0]) == len(parts[1]) and all(np.array_equal(a.positions.idx, b.positions.idx) for a, b in zip(*parts))


def _seeded(masker: Masker, usable: list[Layouts]) -> None:
    with unchanged_globals("the masker"):
        for layouts in usable:
            first = draw(masker, layouts, 5)
            draw(masker, layouts, 6)
            expect(_same(first, draw(masker, layouts, 5)), "the same request gives two different plans")


def _random(masker: Masker, usable: list[Layouts]) -> None:
    for layouts in usable:
        first = draw(masker, layouts, 0)
        if any(not _same(first, draw(masker, layouts, seed)) for seed in range(1, 20)):
            return
    expect(False, "twenty requests with different generators give one and the same plan")


def _pure(masker: Masker, usable: list[Layouts]) -> None:
    for layouts in usable:
        before = {name: (part.coords.copy(), part.valid.copy(), part.channel.copy()) for name, part in layouts.items()}
        draw(masker, layouts, 1)
        for name, arrays in before.items():
            now = (layouts[name].coords, layouts[name].valid, layouts[name].channel)
            expect(all(np.array_equal(a, b) for a, b in zip(arrays, now)), f"the layout of stream '{name}' was changed")


def _covers(masker: Masker, usable: list[Layouts]) -> None:
    for layouts in usable:
        seen, asked = ({name: np.zeros(len(part), bool) for name, part in layouts.items()} for _ in range(2))
        plans = [draw(masker, layouts, seed) for seed in range(DRAWS)]
        for plan in plans:
            for context in plan.contexts:
                seen[context.stream][context.positions.idx] = True
            for query in plan.queries:
                asked[query.stream][query.positions.idx] = True
        for what, marks in (("context", seen), ("query", asked)):
            for name, mark in marks.items():
                if mark.any():
                    missed = np.flatnonzero(layouts[name].valid & ~mark)
                    expect(
                        len(missed) == 0,
                        f"in {DRAWS} draws, {len(missed)} valid tokens were in no {what}, the first is number {missed[:1]}",
                    )


def _collates(masker: Masker, usable: list[Layouts]) -> None:
    for layouts in usable:
        plans = [masker(layouts, request(seed, layouts, masker.phase)) for seed in range(4)]
        batch_plans(plans, "pad", np.random.Generator(np.random.Philox(key=[0, 0])))


def _honest_info(masker: Masker, usable: list[Layouts]) -> None:
    for layouts in usable:
        plan = draw(masker, layouts, 2)
        for name, value in plan.info.items():
            expect(bool(np.isfinite(value)), f"info['{name}'] is {value}")
        if "context_ratio" in plan.info:
            shares = [len(part.positions.idx) / max(1, int(layouts[part.stream].valid.sum())) for part in plan.contexts]
            said = plan.info["context_ratio"]
            expect(abs(float(np.mean(shares)) - said) < 0.02, f"info says a context ratio of {said:.2f}, it is {np.mean(shares):.2f}")


def _tiny(masker: Masker, usable: list[Layouts]) -> None:
    for layouts in usable:
        for count in (1, 2, 4):
            small = {name: _first(part, count) for name, part in layouts.items()}
            try:
                plan = draw(masker, small, 0)
            except ContractError:
                continue
            parts: list[Any] = [*plan.contexts, *plan.queries]
            for number, part in enumerate(parts):
                _index_set(part.positions, small, part.stream, f"with {count} tokens, set {number}")


def _first(layout: Layout, count: int) -> Layout:
    return Layout(layout.coords[:count], np.ones(min(count, len(layout)), bool), layout.channel[:count], layout.axes)


def _spawns(masker: Masker, usable: list[Layouts]) -> None:
    there = travelled(masker)
    expect(_same(draw(masker, usable[0], 3), draw(there, usable[0], 3)), "in a data worker it gives another plan")
