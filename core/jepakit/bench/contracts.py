"""`jepakit bench contracts`: what holding plugins to their contracts costs, as a share of a training step.

The share is far below what two timings of whole steps could tell apart, so it is measured where it arises: one step is run with hooks
that keep what they were given, then the real hooks are called on just that, many times, on the first calls of a run and later.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
import torch
from torch import nn

from jepakit.bench.step import GRID, PATCH_VALUES, build_ours, masks, our_step, raw, timed
from jepakit.contracts import Batch, Context, IndexSet, Layout, MaskPlan, Query
from jepakit.plugin_host.checks import CHECKS, plan_problem
from jepakit.plugin_host.guard import CLOSE, EVERY, ForwardHook, Watch

ROUNDS = 2_000
"""Later calls that are averaged: one in `EVERY` looks, so twenty looks a hook."""
Call = tuple[nn.Module, tuple[Any, ...], dict[str, Any], Any]


def run_bench(batch_size: int = 16, rounds: int = 7) -> dict[str, Any]:
    """Median milliseconds of a step, of the checks on the first calls and of those later, and their shares of the step in per cent.

    All modules are checked as if each came from a plugin, copies in the target too, and the masker once a sample.
    """
    jepa = build_ours()
    keep, targets = masks(batch_size, seed=0)
    patches = torch.randn(batch_size, GRID * GRID, PATCH_VALUES, generator=torch.Generator().manual_seed(0))
    batch = Batch({"main": raw(patches)}, ids=tuple(map(str, range(batch_size))))
    plan = MaskPlan((Context(IndexSet(keep, dense=True)),), tuple(Query(IndexSet(part, dense=True)) for part in targets))
    step = our_step(jepa, batch, plan, "float32")
    calls = recorded(jepa, step)
    step_ms = 1e3 * statistics.median(timed(step) for _ in range(rounds))
    first = sum(mean_ms(role, call, CLOSE, 0) for role, call in calls) + batch_size * plan_ms(keep, targets)
    later = sum(mean_ms(role, call, ROUNDS, CLOSE) for role, call in calls) + batch_size * plan_ms(keep, targets) / EVERY
    shares = {"first_percent": 100 * first / step_ms, "later_percent": 100 * later / step_ms}
    return {
        "bench": "contracts",
        "batch": batch_size,
        "calls": len(calls),
        "step_ms": step_ms,
        "first_ms": first,
        "later_ms": later,
    } | shares


def recorded(jepa: nn.Module, step: Any) -> list[tuple[str, Call]]:
    """What every component was called with in one step, and what it returned."""
    from jepakit.plugin_host.blame import role_of

    found: list[tuple[str, Call]] = []
    handles = [
        module.register_forward_hook(
            lambda module, args, options, result, role=role: found.append((role, (module, args, options, result))), with_kwargs=True
        )
        for module in jepa.modules()
        if (role := role_of(module)) in CHECKS
    ]
    step()
    for handle in handles:
        handle.remove()
    return found


def mean_ms(role: str, call: Call, count: int, before: int) -> float:
    """Mean milliseconds of calls number `before` + 1 to `before` + `count` of a hook."""
    hook = ForwardHook(Watch(role, "bench", "bench", calls=before))
    start = time.perf_counter()
    for _ in range(count):
        hook(*call)
    return 1e3 * (time.perf_counter() - start) / count


def plan_ms(keep: torch.Tensor, targets: list[torch.Tensor]) -> float:
    """Milliseconds of looking at the plan of one sample."""
    count = GRID * GRID
    layout = Layout(np.zeros((count, 2), np.float32), np.ones(count, bool), np.zeros(count, np.int16), ("y", "x"))
    context, *queries = (IndexSet(np.sort(part[0].numpy())) for part in (keep, *targets))
    plan = MaskPlan((Context(context),), tuple(map(Query, queries)))
    start = time.perf_counter()
    for _ in range(100):
        plan_problem(plan, {"main": layout})
    return 1e3 * (time.perf_counter() - start) / 100
