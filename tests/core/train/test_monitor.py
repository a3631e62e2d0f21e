"""Synthetic collapses are seen, healthy sequences are left alone, too few embeddings give no number."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from jepakit.contracts import Context, Features, IndexSet, MaskPlan, Query, StepOutput
from jepakit.train.monitor import CollapseWatch, MonitorSettings

BATCH, WIDTH, TOKENS = 64, 32, 6
PLANNED = 1000
Embed = Callable[[int, torch.Generator], Tensor]
"""(step, generator) → pooled context embeddings (BATCH, WIDTH)."""


def gaussian(step: int, generator: torch.Generator) -> Tensor:
    return torch.randn(BATCH, WIDTH, generator=generator)


def output(pooled: Tensor, targets: Tensor | None = None, predictions: Tensor | None = None) -> StepOutput:
    """One context of two equal tokens a sample; queries at positions 0 … TOKENS - 1 of every sample."""
    batch = len(pooled)
    targets = torch.randn(batch, TOKENS, WIDTH, generator=torch.Generator().manual_seed(batch)) if targets is None else targets
    idx = torch.arange(TOKENS).expand(batch, TOKENS)
    return StepOutput(
        predictions=(0.5 * targets if predictions is None else predictions,),
        targets=(targets,),
        valid=(None,),
        weights=(None,),
        contexts=(Features(last=pooled[:, None].expand(-1, 2, -1)),),
        plan=MaskPlan(contexts=(Context(IndexSet(idx)),), queries=(Query(IndexSet(idx)),)),
    )


def watched(embed: Embed, *, start: Embed = gaussian, steps: int = PLANNED) -> CollapseWatch:
    """A watch that saw `start` for the first fifth of a run and `embed` from there on, every 10 steps."""
    watch, generator = CollapseWatch(MonitorSettings()), torch.Generator().manual_seed(0)
    for step in range(10, steps + 1, 10):
        watch.update(step, output((start if step <= PLANNED // 5 else embed)(step, generator)), 1.0, PLANNED)
    return watch


def constant(step: int, generator: torch.Generator) -> Tensor:
    return torch.full((BATCH, WIDTH), 0.3)


def zero(step: int, generator: torch.Generator) -> Tensor:
    return torch.zeros(BATCH, WIDTH)


def nearly_constant(step: int, generator: torch.Generator) -> Tensor:
    return 1.0 + 1e-4 * gaussian(step, generator)


def one_line(step: int, generator: torch.Generator) -> Tensor:
    return gaussian(step, generator)[:, :1] * torch.linspace(-1, 2, WIDTH)


def equal_dims(step: int, generator: torch.Generator) -> Tensor:
    return gaussian(step, generator)[:, :1].expand(-1, WIDTH)


def tiny_scale(step: int, generator: torch.Generator) -> Tensor:
    return 1e-3 * gaussian(step, generator)


@pytest.mark.parametrize("embed", [constant, zero, nearly_constant, one_line, equal_dims])
@pytest.mark.parametrize("from_start", [False, True])
def test_complete_collapse_is_seen_even_if_it_was_there_from_the_start(embed: Embed, from_start: bool) -> None:
    verdict = watched(embed, start=embed if from_start else gaussian).verdict()
    assert verdict.state == "collapsed"
    assert "Train again with a slower target" in verdict.sentence


def test_spread_that_shrinks_to_nothing_is_a_collapse() -> None:
    assert watched(lambda s, g: gaussian(s, g) * 0.5 ** (s / 50)).verdict().state == "collapsed"
    assert watched(tiny_scale, start=tiny_scale).verdict().state == "healthy"


def test_constant_targets_are_a_collapse_though_the_context_is_rich() -> None:
    watch, generator = CollapseWatch(MonitorSettings()), torch.Generator().manual_seed(0)
    for step in range(10, PLANNED, 10):
        targets = torch.randn(BATCH, TOKENS, WIDTH, generator=generator) * (1.0 if step < 300 else 1e-3)
        watch.update(step, output(gaussian(step, generator), targets), 1.0, PLANNED)
    assert watch.verdict().state == "collapsed"


def test_losing_most_directions_is_a_warning_not_a_collapse() -> None:
    narrow = torch.linspace(0, 1, WIDTH) < 0.2
    verdict = watched(lambda s, g: gaussian(s, g) * narrow).verdict()
    assert verdict.state == "shrinking"
    assert "normal for averaged targets" in verdict.sentence


def test_falling_to_a_few_directions_is_a_collapse() -> None:
    few = torch.arange(WIDTH) < 2
    assert watched(lambda s, g: gaussian(s, g) * few).verdict().state == "collapsed"


def positional_run(predict: Callable[[Tensor, Tensor], Tensor], steps: int = PLANNED) -> CollapseWatch:
    watch, generator = CollapseWatch(MonitorSettings()), torch.Generator().manual_seed(0)
    means = 10 * torch.randn(TOKENS, WIDTH, generator=generator)
    for step in range(10, steps + 1, 10):
        targets = means + torch.randn(BATCH, TOKENS, WIDTH, generator=generator)
        watch.update(step, output(gaussian(step, generator), targets, predict(means.expand_as(targets), targets)), 0.01, PLANNED)
    return watch


def test_position_only_predictions_are_named_after_a_third_of_the_run() -> None:
    late = positional_run(lambda means, _: means)
    assert late.verdict().state == "positional"
    assert late.state()["latest"]["position_ratio"] == pytest.approx(1.0, abs=0.1)
    assert positional_run(lambda means, _: means, steps=290).verdict().state == "healthy"
    assert positional_run(lambda means, targets: (means + targets) / 2).verdict().state == "healthy"


HEALTHY: dict[str, Embed] = {
    "gaussian": gaussian,
    "one-hot": lambda s, g: torch.eye(WIDTH)[torch.randint(WIDTH, (BATCH,), generator=g)] + 1e-3 * gaussian(s, g),
    "a large mean": lambda s, g: 50 + gaussian(s, g),
    "an untrained cosine of .998": lambda s, g: 20 + gaussian(s, g) * torch.linspace(0.1, 2, WIDTH),
    "data of few directions": lambda s, g: gaussian(s, g)[:, :4] @ torch.ones(4, WIDTH).tril(),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_embeddings_stay_healthy(name: str) -> None:
    assert watched(HEALTHY[name], start=HEALTHY[name]).verdict().state == "healthy"


def test_dips_that_recover_are_no_alarm() -> None:
    def dips(step: int, generator: torch.Generator) -> Tensor:
        return one_line(step, generator) if step % 200 > 120 else gaussian(step, generator)

    assert watched(dips).verdict().state == "healthy"


def test_nothing_is_said_early_even_about_constants() -> None:
    assert watched(constant, start=constant, steps=90).verdict().state == "warming up"
    few = CollapseWatch(MonitorSettings(min_embeddings=BATCH))
    for step in (900, 1000):
        few.update(step, output(constant(step, torch.Generator())), 1.0, PLANNED)
        assert few.verdict().state == "warming up"


def test_a_small_batch_is_added_up_to_enough_embeddings() -> None:
    watch, generator = CollapseWatch(MonitorSettings()), torch.Generator().manual_seed(0)
    found = [watch.update(step, output(gaussian(step, generator)[:8]), 1.0, PLANNED) for step in range(1, 65)]
    assert [step for step, numbers in enumerate(found, 1) if numbers] == [32, 64]
    assert 20 < found[31]["rank"] < WIDTH
    assert {"std", "context_std", "rank_uncentred", "cosine", "prediction_std", "position_ratio"} < set(found[31])


def test_without_queries_only_the_context_is_measured() -> None:
    watch, generator = CollapseWatch(MonitorSettings(min_embeddings=64)), torch.Generator().manual_seed(0)
    out = StepOutput(contexts=(Features(last=gaussian(0, generator)[:, None]),), plan=MaskPlan(contexts=()))
    assert set(watch.update(1, out, 1.0, PLANNED)) == {"context_std", "rank", "rank_uncentred", "cosine"}


def test_queries_of_another_stream_are_not_mixed_in() -> None:
    generator = torch.Generator().manual_seed(0)
    one = output(gaussian(0, generator))
    assert one.plan is not None
    other = Query(one.plan.queries[0].positions, stream="other")
    wide = torch.randn(BATCH, TOKENS, 2 * WIDTH, generator=generator)
    both = StepOutput(
        predictions=(*one.predictions, wide),
        targets=(*one.targets, wide),
        valid=(None, None),
        weights=(None, None),
        contexts=one.contexts,
        plan=MaskPlan(contexts=one.plan.contexts, queries=(*one.plan.queries, other)),
    )
    few = MonitorSettings(min_embeddings=64)
    assert CollapseWatch(few).update(1, both, 1.0) == CollapseWatch(few).update(1, one, 1.0)


def test_padding_counts_neither_in_the_context_nor_in_the_queries() -> None:
    generator = torch.Generator().manual_seed(0)
    clean = output(gaussian(0, generator))
    junk = torch.full((BATCH, 1, WIDTH), 1e6)
    valid = torch.ones(BATCH, TOKENS + 1, dtype=torch.bool)
    valid[:, -1] = False
    idx = torch.cat((torch.arange(TOKENS), torch.zeros(1, dtype=torch.int64))).expand(BATCH, -1)
    padded = StepOutput(
        predictions=(torch.cat((clean.predictions[0], junk), 1),),
        targets=(torch.cat((clean.targets[0], -junk), 1),),
        valid=(valid,),
        weights=(None,),
        contexts=(Features(last=torch.cat((clean.contexts[0].last, junk), 1), valid=valid[:, -3:]),),
        plan=MaskPlan(contexts=(), queries=(Query(IndexSet(idx, valid)),)),
    )
    few = MonitorSettings(min_embeddings=64)
    assert CollapseWatch(few).update(1, padded, 1.0) == pytest.approx(CollapseWatch(few).update(1, clean, 1.0))


def test_values_that_are_not_finite_give_no_number() -> None:
    watch, generator = CollapseWatch(MonitorSettings(min_embeddings=128)), torch.Generator().manual_seed(0)
    broken = gaussian(0, generator)
    broken[3, 4] = torch.nan
    seen = [watch.update(step, output(z), 1.0) for step, z in enumerate((gaussian(0, generator), broken, gaussian(0, generator)))]
    assert seen == [{}, {}, {}]
    assert watch.update(9, output(gaussian(0, generator)), 1.0)


def test_state_is_json_and_carries_the_verdict() -> None:
    watch, other = watched(constant), CollapseWatch(MonitorSettings())
    other.load(json.loads(json.dumps(watch.state())))
    assert other.state() == watch.state()
    assert other.verdict() == watch.verdict()


def test_best_is_the_richest_measure_after_warm_up() -> None:
    watch = CollapseWatch(MonitorSettings(min_embeddings=BATCH))
    generator = torch.Generator().manual_seed(0)
    flags = []
    for step, width in ((50, 32), (200, 12), (300, 24), (400, 16)):
        watch.update(step, output(gaussian(step, generator) * (torch.arange(WIDTH) < width)), 1.0, PLANNED)
        flags.append(watch.is_best())
    assert flags == [False, True, True, False]


def test_a_loss_that_rises_again_is_explained() -> None:
    watch, generator = CollapseWatch(MonitorSettings()), torch.Generator().manual_seed(0)
    for step in range(10, PLANNED, 10):
        watch.update(step, output(gaussian(step, generator)), 0.1 if step < 500 else 0.3, PLANNED)
    assert watch.verdict().state == "healthy"
    assert "normal for averaged targets" in watch.verdict().sentence
