"""What every recipe promises, seen on short runs on made-up samples: no leak, the same run every time, and that it learns."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from jepakit import checkpoint, engine, precision
from jepakit.build import Parts, build, build_modality, fit_tokenizers
from jepakit.config import RunConfig, load_config
from jepakit.contracts import Batch, IndexSet, MaskPlan, Modality, Reader, Tokens
from jepakit.data.asides import with_asides
from jepakit.data.loader import batches
from jepakit.data.stream import GlobalStream
from jepakit.model.executors import AskedSet, SeenSet, predict
from jepakit.model.gather import take
from jepakit.plans import plan_of
from jepakit.plugin_host.host import Host
from jepakit.testing.check import Check, Skipped, expect
from jepakit.testing.compare import finite, same_state

FEW, BATCH, STEPS = 48, 8, 6
"""Samples, batch and steps of the runs that are only compared with each other."""
QUIET = ("train.device=cpu", "train.precision=float32", "train.log_every=1", "train.minutes=null", "data.workers=0")


class Scene:
    """A recipe brought down to a size for tests: config, parts, samples and one batch, made when they are first needed."""

    def __init__(self, recipe: str | Mapping[str, Any], host: Host, overrides: tuple[str, ...] = ()) -> None:
        self.recipe, self.host, self.overrides = recipe, host, overrides

    def config(self, *more: str) -> RunConfig:
        """The recipe with small batches on the CPU."""
        small = (f"data.batch={BATCH}", "train.accumulate=1", f"train.steps={STEPS}", f"data.limit={FEW}")
        return load_config(self.recipe, [*QUIET, *small, *self.overrides, *more], self.host)

    @cached_property
    def modality(self) -> Modality:
        """The kind of data."""
        return build_modality(self.config(), self.host)

    @cached_property
    def reader(self) -> Reader:
        """A few made-up samples."""
        return self.modality.synthetic(FEW, 0)

    def parts(self) -> Parts:
        """All components, fitted, with the weights of seed 0."""
        parts = build(self.config(), self.host, self.reader.spec(), self.modality)
        fit_tokenizers(parts, self.reader)
        return parts

    def feed(self, parts: Parts, workers: int = 0, count: int = 2) -> list[Batch]:
        """The first batches of a run."""
        config = self.config()
        stream = GlobalStream(len(self.reader), BATCH, 0)
        options: dict[str, Any] = {"view": parts.view, "tokenizers": parts.tokenizers, "masker": parts.masker}
        made = batches(
            with_asides(self.reader, parts.jepa.target, 16),
            stream=stream,
            start_step=0,
            total_steps=count,
            collate_mode=config.data.collate,
            seed=0,
            workers=workers,
            **options,
        )
        return list(islice(made, count))

    def planned(self, parts: Parts) -> tuple[Batch, MaskPlan]:
        """One batch and its plan."""
        (batch,) = self.feed(parts, count=1)
        return batch, plan_of(batch, parts, self.config(), 0, 0.0)


def check_recipe(recipe: str, host: Host, overrides: tuple[str, ...] = ()) -> Iterator[Check]:
    """Checks of one recipe by name or file; `overrides` bring it to a size at which a step takes milliseconds."""
    scene = Scene(recipe, host, overrides)
    for name, run, remedy, slow in (
        ("config", _config, "every option must survive being written to a run folder and read again", False),
        ("seeded_weights", _seeded_weights, "draw weights from torch's generator when they are made, nothing at import", False),
        ("no_leak", _no_leak, "the context encoder and the predictor must see context tokens only", False),
        ("stop_gradient", _stop_gradient, "compute targets under torch.no_grad()", False),
        ("gradients", _gradients, "use every part in the loss", False),
        ("row_alignment", _row_alignment, "gather rows by their own indices", False),
        ("workers", _workers, "let samples depend on (seed, epoch, id) only", True),
        (
            "bf16",
            _bf16,
            "compute statistics and the loss in float32, and give layers what fits their weights: x.to(self.proj.weight.dtype)",
            False,
        ),
        ("accumulate", _accumulate, "let schedules follow the optimiser step", True),
        ("resume", _resume, "keep all that changes in parameters and buffers", True),
        ("learns", _learns, "see docs/write_a_plugin.md, 'When it does not learn'", True),
    ):
        yield Check(f"recipe.{name}", partial(run, scene), remedy, slow)


def _config(scene: Scene) -> None:
    config = scene.config()
    expect(load_config(config.resolved(), (), scene.host) == config, "the config read back from a run is another one")


def _seeded_weights(scene: Scene) -> None:
    before = torch.random.get_rng_state()
    first = {name: value.clone() for name, value in scene.parts().jepa.state_dict().items()}
    expect(torch.equal(before, torch.random.get_rng_state()), "building it moves torch's global generator")
    same_state(first, scene.parts().jepa, "the same seed gives other weights")


def _no_leak(scene: Scene) -> None:
    """The gradient of every prediction with respect to tokens outside its context is exactly zero, and not so inside it."""
    parts = scene.parts()
    batch, plan = scene.planned(parts)
    jepa = parts.jepa.eval()
    if jepa.predictor is None or not plan.queries:
        raise Skipped("nothing is predicted from a context")
    made = jepa.backbone.tokens({name: batch.streams[name] for name in {part.stream for part in plan.contexts}})
    leaves: dict[str, Tokens] = {name: replace(part, x=part.x.detach().requires_grad_(True)) for name, part in made.items()}
    features = [jepa.backbone.encode(leaves[part.stream], part.positions, condition=batch.condition) for part in plan.contexts]
    positions = jepa.backbone.tokens({name: batch.streams[name] for name in {query.stream for query in plan.queries}})
    seen = [
        SeenSet(part.last, take(leaves[c.stream].coords, c.positions), part.valid, take(leaves[c.stream].channel, c.positions))
        for part, c in zip(features, plan.contexts)
    ]
    asked = [
        AskedSet(
            take(positions[query.stream].coords, query.positions),
            query.positions.valid,
            take(positions[query.stream].channel, query.positions),
            context=query.context,
            kind=query.kind,
        )
        for query in plan.queries
    ]
    predictions = predict(scene.config().executor, jepa.predictor, seen, asked, batch.condition)
    for number, (query, prediction) in enumerate(zip(plan.queries, predictions)):
        context = plan.contexts[query.context]
        leaf = leaves[context.stream].x
        (gradient,) = torch.autograd.grad(prediction.float().square().sum(), leaf, retain_graph=True)
        inside = _members(context.positions, leaf.shape[1])
        outside = gradient.abs().sum(-1)[~inside]
        expect(not bool(outside.any()), f"the prediction of query {number} depends on {int((outside != 0).sum())} tokens that are hidden")
        expect(bool(gradient.abs().sum(-1)[inside].any()), f"the prediction of query {number} does not depend on its context")


def _members(positions: IndexSet, count: int) -> torch.Tensor:
    marks = torch.zeros(positions.idx.shape[0], count, dtype=torch.bool)
    for row, idx in enumerate(positions.idx):
        marks[row, idx if positions.valid is None else idx[positions.valid[row]]] = True
    return marks


def _stop_gradient(scene: Scene) -> None:
    parts = scene.parts()
    batch, plan = scene.planned(parts)
    _, _, out = parts.jepa.train()(batch, plan, 0)
    if not out.targets:
        raise Skipped("there are no targets")
    expect(not any(target.requires_grad for target in out.targets), "targets carry a gradient")


def _gradients(scene: Scene) -> None:
    parts = scene.parts()
    batch, plan = scene.planned(parts)
    loss, terms, _ = parts.jepa.train()(batch, plan, 0)
    expect(loss.ndim == 0 and loss.dtype == torch.float32, f"the loss is {loss.dtype} of shape {tuple(loss.shape)}")
    finite(loss.detach(), f"the loss ({', '.join(terms)})")
    loss.backward()
    for room in ("backbone", "predictor"):
        module = getattr(parts.jepa, room)
        weights = [] if module is None else [part for part in module.parameters() if part.requires_grad]
        reached = [part for part in weights if part.grad is not None and bool(part.grad.any())]
        expect(not weights or bool(reached), f"no gradient reaches the {room}")
        for part in reached:
            assert part.grad is not None
            finite(part.grad, f"a gradient of the {room}")


@torch.no_grad()
def _row_alignment(scene: Scene) -> None:
    """Predictions and targets of the first samples are the same when they come alone in a batch of two."""
    parts = scene.parts()
    batch, plan = scene.planned(parts)
    jepa = parts.jepa.eval()
    two = slice(0, 2)
    streams = {}
    for name, raw in batch.streams.items():
        few_rows: dict[str, Any] = {key: value[two] for key, value in vars(raw).items() if isinstance(value, torch.Tensor)}
        streams[name] = replace(raw, **few_rows)

    def cut(part: IndexSet) -> IndexSet:
        found = [None if value is None else value[two] for value in (part.idx, part.valid, part.weight)]
        return IndexSet(found[0], found[1], found[2], dense=part.dense)

    few = replace(
        plan,
        contexts=tuple(replace(part, positions=cut(part.positions)) for part in plan.contexts),
        queries=tuple(replace(part, positions=cut(part.positions)) for part in plan.queries),
    )
    condition = batch.condition and replace(batch.condition, vec=None if batch.condition.vec is None else batch.condition.vec[two])
    _, _, small = jepa(replace(batch, streams=streams, ids=batch.ids[two], condition=condition, plan=few), few, 0)
    _, _, whole = jepa(batch, plan, 0)
    for ours, theirs in zip(small.predictions, whole.predictions):
        gap = float((ours - theirs[two]).abs().max())
        expect(gap < 1e-3, f"predictions of a sample depend on the rest of its batch (difference {gap:.2g})")


def _workers(scene: Scene) -> None:
    parts = scene.parts()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)  # on a machine with one core
        apart = scene.feed(parts, 2, 4)
    for ours, theirs in zip(scene.feed(parts, 0, 4), apart):
        expect(ours.ids == theirs.ids, "two workers give the samples in another order")
        for name, raw in ours.streams.items():
            same = torch.equal(raw.values.nan_to_num(7e7), theirs.streams[name].values.nan_to_num(7e7))  # missing values are NaN
            expect(same, f"two workers give other values of stream '{name}'")
        if ours.plan is not None and theirs.plan is not None:
            pairs: Any = zip([*ours.plan.contexts, *ours.plan.queries], [*theirs.plan.contexts, *theirs.plan.queries])
            expect(all(torch.equal(a.positions.idx, b.positions.idx) for a, b in pairs), "two workers give other masks")


def _bf16(scene: Scene) -> None:
    parts = scene.parts()
    batch, plan = scene.planned(parts)
    for number_format in ("bf16", "bf16-weights"):
        loss, _, _ = precision.run(parts.jepa.train(), number_format, batch, plan, 0)
        expect(loss.dtype == torch.float32, f"with train.precision={number_format} the loss is {loss.dtype}")
        finite(loss.detach(), f"with train.precision={number_format}, the loss")


def _run(scene: Scene, folder: Path, *more: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    engine.train(scene.config(*more), scene.host, "synthetic", folder, events.append)
    return [event for event in events if event["event"] == "step"]


def _accumulate(scene: Scene) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole, parted = _run(scene, Path(folder) / "a"), _run(scene, Path(folder) / "b", "train.accumulate=2")
    for ours, theirs in zip(whole, parted):
        for key in ("step", "lr", "ema_momentum"):
            expect(
                ours.get(key) == theirs.get(key),
                f"in step {ours['step']}, {key} is {ours.get(key)} with one micro-batch, {theirs.get(key)} with two",
            )


def _resume(scene: Scene) -> None:
    """A run stopped in the middle and gone on with ends with the weights of one never stopped, bit for bit."""
    with tempfile.TemporaryDirectory() as parent:
        whole, cut = Path(parent) / "whole", Path(parent) / "cut"
        _run(scene, whole, "train.checkpoint_minutes=0.0000001", "train.keep=100")
        _run(scene, cut, "train.checkpoint_minutes=0.0000001", "train.keep=100")
        for folder in sorted((cut / "checkpoints").glob("step-*"))[STEPS // 2 :]:
            folder.rename(cut / f"gone-{folder.name}")
        engine.resume(cut, scene.host, lambda event: None)
        ours, theirs = (checkpoint.load_latest(folder) for folder in (whole, cut))
    expect(ours.step == theirs.step, f"it ended at step {theirs.step}, not {ours.step}")
    wrong = [name for name, value in ours.tensors.items() if not torch.equal(value, theirs.tensors[name])]
    expect(not wrong, f"after resuming, {len(wrong)} tensors differ from those of a run never stopped: {', '.join(wrong[:3])}")


def _learns(scene: Scene) -> None:
    from jepakit.testing.learning import check_learning

    check_learning(scene.recipe, scene.host, scene.overrides)
