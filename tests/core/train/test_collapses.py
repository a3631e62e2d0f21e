"""Six collapses are all named within 1,000 steps, however long the run is planned; six runs that were healthy are never stopped.

Collapses are embeddings made up to fail in one way each. Healthy runs are what real runs measured (`healthy_runs.json`): radar chips,
points, digits and photographs, one of them with a rank that dips to .46 of its first.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from jepakit.contracts import Context, Features, IndexSet, MaskPlan, Query, StepOutput
from jepakit.train.monitor import CollapseWatch, MonitorSettings

BATCH, WIDTH, TOKENS, EVERY = 64, 48, 6, 10
START = 100
"""Step at which things go wrong."""
HEALTHY = json.loads((Path(__file__).parent / "healthy_runs.json").read_text(encoding="utf-8"))
Wrong = Callable[[Tensor, int], Tensor]
"""Healthy embeddings (n, D) and how many steps ago things went wrong → what has become of them."""


def constant(z: Tensor, since: int) -> Tensor:
    return torch.full_like(z, 0.3) + 1e-7 * z


def shrinking_to_a_point(z: Tensor, since: int) -> Tensor:
    return 1.0 + z * 0.5 ** (since / 50)


def one_direction(z: Tensor, since: int) -> Tensor:
    return z[:, :1] * torch.linspace(-1, 2, z.shape[1]) + 1e-3 * z


def few_directions(z: Tensor, since: int) -> Tensor:
    return torch.cat((z[:, :2], torch.zeros_like(z[:, 2:])), dim=1)


def as_it_was(z: Tensor, since: int) -> Tensor:
    return z


COLLAPSES: dict[str, tuple[Wrong, Wrong, bool, str]] = {
    "constant embeddings": (constant, as_it_was, False, "collapsed"),
    "spread that shrinks to nothing": (shrinking_to_a_point, as_it_was, False, "collapsed"),
    "one direction": (one_direction, as_it_was, False, "collapsed"),
    "two directions of 48": (few_directions, as_it_was, False, "collapsed"),
    "constant targets, rich contexts": (as_it_was, constant, False, "collapsed"),
    "nothing but position": (as_it_was, as_it_was, True, "positional"),
}
"""Name → (what becomes of contexts, of targets, whether predictions know the position only, verdict)."""


def output(z: Tensor, targets: Tensor, means: Tensor, positional: bool) -> StepOutput:
    idx = torch.arange(TOKENS).expand(BATCH, TOKENS)
    whole = means + targets
    predictions = means.expand_as(whole) if positional else means + 0.5 * targets
    return StepOutput(
        predictions=(predictions,),
        targets=(whole,),
        valid=(None,),
        weights=(None,),
        contexts=(Features(last=z[:, None].expand(-1, 2, -1)),),
        plan=MaskPlan(contexts=(Context(IndexSet(idx)),), queries=(Query(IndexSet(idx)),)),
    )


@pytest.mark.parametrize("planned", [1_000, 50_000])
@pytest.mark.parametrize("name", COLLAPSES)
def test_every_collapse_is_named_within_a_thousand_steps(name: str, planned: int) -> None:
    context, target, positional, word = COLLAPSES[name]
    watch, generator = CollapseWatch(MonitorSettings()), torch.Generator().manual_seed(0)
    means, seen = torch.randn(TOKENS, WIDTH, generator=generator), dict[str, int]()
    for step in range(EVERY, 1_001, EVERY):
        since = max(step - START, 0)
        z = torch.randn(BATCH, WIDTH, generator=generator)
        targets = torch.randn(BATCH, TOKENS, WIDTH, generator=generator)
        if since:
            z, targets = context(z, since), target(targets.flatten(0, 1), since).unflatten(0, (BATCH, TOKENS))
        watch.update(step, output(z, targets, means, positional and since > 0), 1.0, planned)
        seen.setdefault(watch.verdict().state, step)
    assert watch.verdict().state == word, seen
    assert seen[word] <= 1_000


@pytest.mark.parametrize("planned", ["as it was", "fifty times as long"])
@pytest.mark.parametrize("run", HEALTHY["runs"], ids=lambda run: run["name"])
def test_no_healthy_run_is_ever_called_collapsed(run: dict[str, object], planned: str) -> None:
    assert isinstance(run["records"], list)
    assert isinstance(run["planned"], int)
    assert isinstance(run["width"], int)
    watch, states = CollapseWatch(MonitorSettings()), set()
    total = run["planned"] * (50 if planned != "as it was" else 1)
    for record in run["records"]:
        numbers = dict(zip(HEALTHY["keys"], record))
        states.add(watch.replay(int(numbers["step"]), numbers, limit=run["width"], planned=total).state)
    assert states <= {"warming up", "healthy"}


def test_the_fixtures_are_six_of_each() -> None:
    assert (len(COLLAPSES), len(HEALTHY["runs"])) == (6, 6)
