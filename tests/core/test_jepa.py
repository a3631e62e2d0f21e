"""The step: nothing leaks, every context token counts, four executors agree, and the numbers are the published ones."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from jepakit.bench.published import PublishedStep
from jepakit.contracts import Batch, Context, IndexSet, MaskPlan, Query, Raw
from jepakit.precision import run
from jepakit.targets import EmaSettings


def dense(rows: list[list[int]]) -> IndexSet:
    return IndexSet(torch.tensor(rows), dense=True)


def plan_for(batch: Batch) -> MaskPlan:
    """Context tokens 0, 1, 4, 5 and 9; two query sets that do not touch them."""
    count = len(batch)
    queries = (Query(dense([[2, 3, 6, 7]] * count)), Query(dense([[10, 11, 14, 15]] * count)))
    return MaskPlan((Context(dense([[0, 1, 4, 5, 9]] * count)),), queries)


def sensitivity(jepa, batch: Batch, plan: MaskPlan, query: int) -> torch.Tensor:
    """(N,): how much the prediction of one query set of sample 0 depends on the raw input at each token of sample 0."""
    values = batch.streams["main"].values.clone().requires_grad_(True)
    _, _, out = jepa(replace(batch, streams={"main": Raw(values)}), plan, 0)
    weights = torch.randn(out.predictions[query][0].shape, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad((out.predictions[query][0] * weights).sum(), values)
    assert gradient[1:].abs().max() == 0, "samples of a batch must not see each other"
    return gradient[0].abs().sum(-1)


@pytest.mark.parametrize("executor", ["rows", "union", "packed", "cross"])
@pytest.mark.parametrize("positions", ["sincos", "rotary"])
def test_prediction_depends_on_all_of_its_context_and_on_nothing_else(make_jepa, make_batch, executor, positions):
    jepa, batch = make_jepa(executor=executor, positions=positions), make_batch()
    plan = plan_for(batch)
    for query in range(2):
        reach = sensitivity(jepa, batch, plan, query)
        seen = torch.zeros(16, dtype=torch.bool)
        seen[[0, 1, 4, 5, 9]] = True
        assert (reach[seen] > 0).all()
        assert (reach[~seen] == 0).all()


def test_target_passes_no_gradient(make_jepa, make_batch):
    jepa, batch = make_jepa(), make_batch()
    loss, _, out = jepa(batch, plan_for(batch), 0)
    loss.backward()
    assert all(not target.requires_grad for target in out.targets)
    assert all(parameter.grad is None for parameter in jepa.target.parameters())
    assert all(parameter.grad is not None for parameter in jepa.backbone.parameters())


@pytest.mark.parametrize("executor", ["union", "packed"])
def test_executors_agree_with_rows_on_one_query(make_jepa, make_batch, executor):
    batch = make_batch()
    plan = replace(plan_for(batch), queries=plan_for(batch).queries[:1])
    rows, other = make_jepa(executor="rows"), make_jepa(executor=executor)
    other.load_state_dict(rows.state_dict())
    torch.testing.assert_close(other(batch, plan, 0)[0], rows(batch, plan, 0)[0], rtol=0, atol=1e-6)


def test_packed_queries_do_not_see_each_other(make_jepa, make_batch):
    """The prediction of the first query set must not change when the second one asks elsewhere; under `union` it does."""
    batch = make_batch()
    plan = plan_for(batch)
    moved = replace(plan, queries=(plan.queries[0], Query(dense([[8, 12, 13, 15]] * 3))))
    for executor, same in (("packed", True), ("rows", True), ("union", False)):
        jepa = make_jepa(executor=executor)
        before, after = (jepa(batch, each, 0)[2].predictions[0] for each in (plan, moved))
        assert torch.allclose(before, after, atol=1e-6) is same


def test_cross_is_independent_of_grouping(make_jepa, make_batch):
    batch = make_batch()
    plan = plan_for(batch)
    jepa = make_jepa(executor="cross")
    both = jepa(batch, plan, 0)[2].predictions
    for number in range(2):
        alone = jepa(batch, replace(plan, queries=plan.queries[number : number + 1]), 0)[2].predictions[0]
        torch.testing.assert_close(alone, both[number], rtol=0, atol=1e-6)


@pytest.mark.parametrize("executor", ["rows", "union", "packed", "cross"])
def test_padding_changes_nothing(make_jepa, make_batch, executor):
    """Padded context and query entries, pointing at token 0, leave loss and predictions as they are."""
    jepa, batch = make_jepa(executor=executor), make_batch()
    plan = plan_for(batch)

    def padded(positions: IndexSet) -> IndexSet:
        rows, count = positions.idx.shape
        valid = torch.cat((torch.ones(rows, count, dtype=torch.bool), torch.zeros(rows, 2, dtype=torch.bool)), dim=1)
        return IndexSet(torch.nn.functional.pad(positions.idx, (0, 2)), valid)

    ragged = MaskPlan(
        tuple(replace(part, positions=padded(part.positions)) for part in plan.contexts),
        tuple(replace(part, positions=padded(part.positions)) for part in plan.queries),
    )
    loss, _, out = jepa(batch, plan, 0)
    again, _, wide = jepa(batch, ragged, 0)
    torch.testing.assert_close(again, loss, rtol=0, atol=1e-6)
    torch.testing.assert_close(wide.predictions[0][:, :4], out.predictions[0], rtol=0, atol=1e-6)


def test_permuted_samples_give_permuted_predictions(make_jepa, make_batch):
    jepa, batch = make_jepa(), make_batch()
    order = torch.tensor([2, 0, 1])
    plan = MaskPlan((Context(dense([[0, 1, 4], [5, 6, 7], [8, 9, 12]])),), (Query(dense([[2, 3], [10, 11], [14, 15]])),))
    shuffled = MaskPlan(
        (Context(IndexSet(plan.contexts[0].positions.idx[order])),), (Query(IndexSet(plan.queries[0].positions.idx[order])),)
    )
    mixed = replace(batch, streams={"main": Raw(batch.streams["main"].values[order])})
    before, after = jepa(batch, plan, 0)[2], jepa(mixed, shuffled, 0)[2]
    torch.testing.assert_close(after.predictions[0], before.predictions[0][order], rtol=0, atol=1e-6)
    torch.testing.assert_close(after.targets[0], before.targets[0][order], rtol=0, atol=1e-6)


def published_like(jepa, grid: int) -> PublishedStep:
    """The plain step on the same weights."""
    plain = PublishedStep(patch_values=6, grid=grid, width=24, depth=2, heads=2, predictor=(16, 2, 2))
    plain.proj.load_state_dict(jepa.backbone.tokenizers["main"].proj.state_dict())
    plain.encoder.load_state_dict(jepa.backbone.encoder.state_dict())
    plain.target_proj.load_state_dict(jepa.target.average.tokenizers["main"].proj.state_dict())
    plain.target_encoder.load_state_dict(jepa.target.average.encoder.state_dict())
    renamed = {name.replace("queries.", ""): value for name, value in jepa.predictor.state_dict().items()}
    plain.predictor.load_state_dict(renamed)
    return plain


def test_step_is_the_published_one(make_jepa, make_batch):
    """Same weights, same masks: loss equal to 1e-5 over three optimiser steps with moving targets."""
    jepa, batch = make_jepa(executor="rows", ema=EmaSettings(start=0.9, end=0.9)), make_batch(samples=4)
    plan = plan_for(batch)
    plain = published_like(jepa, 4)
    ours = torch.optim.AdamW([p for p in jepa.parameters() if p.requires_grad], lr=1e-2)
    theirs = torch.optim.AdamW([p for p in plain.parameters() if p.requires_grad], lr=1e-2)
    keep, targets = plan.contexts[0].positions.idx, [query.positions.idx for query in plan.queries]
    losses = []
    for step in range(3):
        loss = jepa(batch, plan, step)[0]
        other = plain(batch.streams["main"].values, keep, targets)
        assert loss.item() == pytest.approx(other.item(), abs=1e-5)
        for optimizer, value in ((ours, loss), (theirs, other)):
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        jepa.after_step(step + 1, 3)
        plain.average(0.9)
        losses.append(loss.item())
    assert losses[2] < losses[0]


@pytest.mark.parametrize("precision", ["bf16", "bf16-weights"])
def test_bfloat16_step_is_close_and_gradients_are_float32(make_jepa, make_batch, precision):
    jepa, batch = make_jepa(), make_batch()
    plan = plan_for(batch)
    exact = jepa(batch, plan, 0)[0].item()
    loss = run(jepa, precision, batch, plan, 0)[0]
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact, rel=0.02)
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in jepa.backbone.parameters())


def test_ema_equals_its_closed_form(make_jepa):
    """With a constant momentum m and constant online weights w: target after k steps = m^k t + (1 - m^k) w."""
    jepa = make_jepa(ema=EmaSettings(start=0.8, end=0.8))
    name, kept = next(iter(jepa.target.average.named_parameters()))
    online = dict(jepa.backbone.named_parameters())[name]
    first = kept.clone()
    online.data.add_(1.0)
    for step in range(5):
        logged = jepa.after_step(step + 1, 5)
    assert logged == {"ema_momentum": 0.8}
    torch.testing.assert_close(kept.data, 0.8**5 * first + (1 - 0.8**5) * online.data)


def test_ema_scope_leaves_the_tokenizer_shared(make_jepa, make_batch):
    jepa, batch = make_jepa(ema=EmaSettings(scope=("encoder",))), make_batch()
    assert not any("tokenizers" in name for name, _ in jepa.target.named_parameters())
    before = jepa(batch, plan_for(batch), 0)[2].targets[0]
    jepa.backbone.tokenizers["main"].proj.weight.data.mul_(2.0)
    assert not torch.allclose(jepa(batch, plan_for(batch), 0)[2].targets[0], before)
