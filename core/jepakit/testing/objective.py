"""What every objective and every view promises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from jepakit.contracts import Features, Objective, Sample, StepOutput, ViewMaker
from jepakit.testing.check import Check, expect
from jepakit.testing.compare import close, finite, noise, rng, same_sample, travelled, unchanged_globals
from jepakit.testing.ranks import on_ranks

ROWS, TOKENS = 12, 5


def check_objective(objective: Objective, width: int = 16) -> Iterator[Check]:
    """Checks of one term of the loss for embeddings of `width`."""
    for name, run, remedy in (
        ("scalar", _scalar, "return one float32 number"),
        ("gradient", _gradient, "let a gradient reach predictions or contexts, and none be NaN"),
        ("canary", _canary, "guard roots and divisions: a collapsed encoder has variance zero"),
        ("seeded", _seeded, "draw from a generator seeded by `step`"),
        ("batch_order", _batch_order, "a batch is a set"),
        ("padding", _padding, "use out.valid and Features.valid"),
        ("bf16", _bf16, "compute in float32: `x.float()` first"),
        ("ranks", _ranks, "take statistics of the batch over all ranks: mean_over_ranks and all_gather_rows of jepakit.sdk"),
    ):
        yield Check(f"objective.{name}", partial(run, objective.eval(), width), remedy)


def step_output(width: int, *, rows: int = ROWS, constant: bool = False, seed: int = 0) -> StepOutput:
    """What a step of two contexts with a query each gives, all tokens valid. constant: of an encoder that collapsed."""
    made = [noise(rows, TOKENS, width, seed=seed + number) * (0.0 if constant else 1.0) for number in range(6)]
    seen, predictions, targets = made[:2], tuple(made[2:4]), tuple(made[4:])
    for leaf in (*seen, *predictions):
        leaf.requires_grad_(True)
    return StepOutput(
        predictions,
        targets,
        valid=(None, None),
        weights=(None, None),
        contexts=tuple(Features(last=part) for part in seen),
        target_streams={"main": targets[0]},
    )


def _scalar(objective: Objective, width: int) -> None:
    value = objective(step_output(width), 1)
    expect(isinstance(value, Tensor) and value.ndim == 0 and value.dtype == torch.float32, f"it returned {value!r:.80}")
    finite(value, "the value")


def _gradients(objective: Objective, out: StepOutput) -> list[Tensor]:
    leaves = [*out.predictions, *(part.last for part in out.contexts)]
    value = objective(out, 1)
    expect(value.requires_grad, "its value has no gradient")
    return [part for part in torch.autograd.grad(value, leaves, allow_unused=True) if part is not None]


def _gradient(objective: Objective, width: int) -> None:
    found = _gradients(objective, step_output(width))
    expect(any(bool(part.any()) for part in found), "no gradient reaches predictions or contexts")
    for part in found:
        finite(part, "the gradient")


def _canary(objective: Objective, width: int) -> None:
    out = step_output(width, constant=True)
    finite(objective(out, 1), "for a collapsed encoder, the value")
    for part in _gradients(objective, out):
        finite(part, "for a collapsed encoder, the gradient")


def _seeded(objective: Objective, width: int) -> None:
    with unchanged_globals("the objective"):
        first = objective(step_output(width), 7)
        expect(torch.equal(first, objective(step_output(width), 7)), "the same step gives two values")


def _batch_order(objective: Objective, width: int) -> None:
    out = step_output(width)
    turned = replace(
        out,
        predictions=tuple(part.flip(0) for part in out.predictions),
        targets=tuple(part.flip(0) for part in out.targets),
        contexts=tuple(Features(last=part.last.flip(0)) for part in out.contexts),
        target_streams={name: part.flip(0) for name, part in out.target_streams.items()},
    )
    gap = abs(float((objective(out, 1) - objective(turned, 1)).detach()))
    expect(gap < 1e-4, f"the order of the samples changes the value by {gap:.2g}")


def _padding(objective: Objective, width: int) -> None:
    out, junk = step_output(width), 50 * noise(ROWS, 2, width, seed=9)
    valid = torch.arange(TOKENS + 2).expand(ROWS, -1) < TOKENS
    padded = replace(
        out,
        predictions=tuple(torch.cat((part, junk), 1) for part in out.predictions),
        targets=tuple(torch.cat((part, -junk), 1) for part in out.targets),
        valid=(valid, valid),
        contexts=tuple(Features(last=torch.cat((part.last, junk), 1), valid=valid) for part in out.contexts),
    )
    gap = abs(float((objective(out, 1) - objective(padded, 1)).detach()))
    expect(gap < 1e-4, f"tokens that are not valid change the value by {gap:.2g}")


def _bf16(objective: Objective, width: int) -> None:
    out = step_output(width)
    half = replace(
        out,
        predictions=tuple(part.bfloat16() for part in out.predictions),
        targets=tuple(part.bfloat16() for part in out.targets),
        contexts=tuple(Features(last=part.last.bfloat16()) for part in out.contexts),
    )
    value = objective(half, 1)
    expect(value.dtype == torch.float32, f"for bfloat16 embeddings the value is {value.dtype}, not float32")
    finite(value, "for bfloat16 embeddings, the value")


def _ranks(objective: Objective, width: int) -> None:
    """Half a batch on each of two ranks: values and gradients average to those of the whole, as a data-parallel wrapper averages them."""
    whole = step_output(width)
    value, by_row, by_weight = _value_and_gradients(objective, whole)
    halves = [_rows_of(whole, slice(0, ROWS // 2)), _rows_of(whole, slice(ROWS // 2, ROWS))]
    found = on_ranks([partial(_value_and_gradients, deepcopy(objective), half) for half in halves])
    said = "with half the batch on each of two ranks"
    close(torch.stack([one for one, _, _ in found]).mean(), value, f"{said} the value is another one")
    for number, gradient in enumerate(by_row):
        close(torch.cat([rows[number] for _, rows, _ in found]) / len(halves), gradient, f"{said} a gradient of embeddings is another one")
    for number, gradient in enumerate(by_weight):
        close(torch.stack([weights[number] for _, _, weights in found]).mean(0), gradient, f"{said} a gradient of weights is another one")


def _rows_of(out: StepOutput, rows: slice) -> StepOutput:
    def cut(part: Tensor) -> Tensor:
        return part.detach()[rows].requires_grad_(part.requires_grad)

    return replace(
        out,
        predictions=tuple(map(cut, out.predictions)),
        targets=tuple(map(cut, out.targets)),
        contexts=tuple(Features(last=cut(part.last)) for part in out.contexts),
        target_streams={name: cut(part) for name, part in out.target_streams.items()},
    )


def _value_and_gradients(objective: Objective, out: StepOutput) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """The value, its gradients by embeddings and by the objective's own weights."""
    leaves = [*out.predictions, *(part.last for part in out.contexts)]
    value = objective(out, 1)
    found = torch.autograd.grad(value, [*leaves, *objective.parameters()], allow_unused=True, materialize_grads=True)
    return value.detach(), list(found[: len(leaves)]), list(found[len(leaves) :])


def check_view(view: ViewMaker, samples: Sequence[Sample]) -> Iterator[Check]:
    """Checks of one augmentation on a few samples."""
    yield Check("view.seeded", partial(_view_seeded, view, samples), "draw from `rng` only")
    yield Check("view.pure", partial(_view_pure, view, samples), "return a new Sample; arrays of the old one may be cached")
    yield Check("view.keeps", partial(_view_keeps, view, samples), "keep id, label, group and the dtype of every stream")
    yield Check("view.spawns", partial(_view_spawns, view, samples), "keep no lambdas, open files or generators in the view")


def _view_seeded(view: ViewMaker, samples: Sequence[Sample]) -> None:
    with unchanged_globals("the view"):
        for sample in samples:
            same_sample(view(sample, rng(1), 0.5), view(sample, rng(1), 0.5), "the same generator gives two different views")


def _view_pure(view: ViewMaker, samples: Sequence[Sample]) -> None:
    for sample in samples:
        before = {name: array.copy() for name, array in sample.streams.items()}
        view(sample, rng(2), 0.0)
        same_sample(replace(sample, streams=before), sample, f"the array of sample {sample.id} was changed in place")


def _view_keeps(view: ViewMaker, samples: Sequence[Sample]) -> None:
    for sample in samples:
        seen = view(sample, rng(3), 1.0)
        expect((seen.id, seen.group) == (sample.id, sample.group), f"id or group of sample {sample.id} changed")
        kept = all(seen.streams[name].dtype == array.dtype for name, array in sample.streams.items() if name in seen.streams)
        expect(kept and bool(seen.streams), f"a stream of sample {sample.id} changed its dtype, or none is left")


def _view_spawns(view: ViewMaker, samples: Sequence[Sample]) -> None:
    same_sample(view(samples[0], rng(4), 0.0), travelled(view)(samples[0], rng(4), 0.0), "in a data worker it gives another view")
