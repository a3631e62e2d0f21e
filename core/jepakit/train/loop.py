"""One training run, top to bottom: batch → plan → loss → guard → backward → step → target → log → watch → save.

Nothing is hidden in callbacks. The state of a run is the step, the weights, the optimiser, the horizon and the watch; everything
random is a function of (seed, step, epoch, sample id), so resuming in the middle of an epoch gives the weights of a run never stopped.
On several ranks (jepakit.train.ranks) all of them run this, each on its rows of the batch; only rank 0 has a folder to write to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from jepakit import checkpoint, precision
from jepakit.build import Parts
from jepakit.checkpoint import State
from jepakit.config import RunConfig
from jepakit.contracts import Batch, Reader, StepOutput
from jepakit.contracts.carriers import to_device
from jepakit.crossrank import rank, world_size
from jepakit.data.asides import with_asides
from jepakit.data.loader import batches
from jepakit.data.stream import GlobalStream
from jepakit.errors import CheckpointError, JepakitError, TrainingStopped
from jepakit.horizon import Horizon
from jepakit.plans import plan_of
from jepakit.runs import RunFolder
from jepakit.train.monitor import CollapseWatch
from jepakit.train.optim import Optimizers, build_optimizers, clip_gradients, set_rates
from jepakit.train.pace import Pace
from jepakit.train.ranks import agreed, average_gradients, averaged, of_all, on_any, share_weights
from jepakit.train.signals import StopSignal

Emit = Callable[[dict[str, Any]], None]
Judge = Callable[[], float]
"""How good the encoder is now by the labels of training samples, the higher the better."""


@dataclass(frozen=True)
class Result:
    """How a run ended. status: finished, interrupted, collapsed, diverged."""

    status: str
    exit_code: int
    step: int
    sentence: str = ""


@dataclass
class Progress:
    """What changes while a run goes on, beside weights and optimiser. score: the highest of the probe so far, found at `scored_at`."""

    step: int
    horizon: Horizon
    watch: CollapseWatch
    saved: int = -1
    has_best: bool = False
    score: float | None = None
    scored_at: int = -1


def train(
    config: RunConfig,
    parts: Parts,
    reader: Reader,
    run: RunFolder | None,
    emit: Emit,
    *,
    horizon: Horizon,
    start: State | None,
    judge: Judge | None = None,
) -> Result:
    """Train until the horizon, a signal, an error or (if asked) a collapse; always leaves a checkpoint that can be resumed.

    Args:
        run: where metrics and checkpoints go; None on every rank but the first.
        horizon: the planned number of steps; ignored when `start` is given, which carries its own.
        start: the checkpoint to go on from.
        emit: gets one event (a dict) for every logged step, checkpoint and verdict.
        judge: asked every `train.probe_every` steps; the checkpoint of its highest answer is then the best one. Rank 0's alone counts.
    """
    device = pick_device(config.train.device)
    jepa = parts.jepa.to(device).train()
    if config.optim.freeze_tokenizer:
        jepa.backbone.tokenizers.requires_grad_(False)
    optimizers = build_optimizers(jepa, config.optim)
    now = Progress(0, horizon, CollapseWatch(config.monitor))
    micro, buckets = config.data.batch // config.train.accumulate, reader.spec().get("buckets") or ()
    stream = GlobalStream(len(reader), micro, config.train.seed, buckets, rank=rank(), ranks=world_size())
    if start is not None:
        restore(start, jepa, optimizers, now, stream, reader)
        now.has_best = run is not None and checkpoint.best(run.path) is not None
    share_weights(jepa)
    pace = Pace(minutes_left(config, now), now.step)
    with StopSignal() as stop:
        source = feed(config, parts, reader, stream, now)
        try:
            while now.step < now.horizon.total and not on_any(stop.requested is not None):
                losses = one_step(config, parts, optimizers, source, now, device)
                now.horizon = agreed(pace.replan(now.horizon, now.step))
                losses |= judged(config, now, judge)
                if "probe" in losses or now.step % config.train.log_every == 0 or now.step == now.horizon.total:
                    report(run, emit, now, losses | pace.numbers(now.step, now.horizon.total, config.data.batch))
                    if stopping(config, now):
                        break
                if pace.save_due(config.train.checkpoint_minutes) or (is_best(config, now) and (now.score is not None or not now.has_best)):
                    save(run, emit, config, jepa, optimizers, now, stream, reader)
        except JepakitError:  # whatever it is, it came before the weights of the next step: those of this one are whole
            save(run, emit, config, jepa, optimizers, now, stream, reader)
            raise
    save(run, emit, config, jepa, optimizers, now, stream, reader)
    return verdict(run, now, stop)


def one_step(
    config: RunConfig, parts: Parts, optimizers: Optimizers, source: Iterator[Batch], now: Progress, device: torch.device
) -> dict[str, float]:
    """One optimiser step over `accumulate` micro-batches; returns what to log. The weights are untouched if anything is not finite."""
    jepa, total = parts.jepa, now.horizon.total
    virtual = now.horizon.virtual_step(now.step)
    rate = set_rates(optimizers, virtual, total, config.optim)
    jepa.zero_grad(set_to_none=True)
    logged: dict[str, float] = {}
    ids: list[str] = []
    for _ in range(config.train.accumulate):
        batch = to_device(next(source), device)
        ids.extend(batch.ids)
        plan = plan_of(batch, parts, config, now.step, now.horizon.progress(now.step))
        loss, terms, out = precision.run(jepa, precision.resolve(config.train.precision, device), batch, plan, now.step)
        value = float(loss.detach())
        if on_any(not math.isfinite(value)):
            raise not_finite(value, "loss", now.step, ids)
        (loss / config.train.accumulate).backward()
        collect(logged, loss, terms, out, config.train.accumulate)
    average_gradients(jepa.parameters())
    norm = clip_gradients(jepa.parameters(), config.optim.clip)
    if not math.isfinite(norm):
        raise not_finite(norm, "gradient norm", now.step, ids)
    for optimizer in optimizers.values():
        optimizer.step()
    now.step += 1
    logged |= jepa.after_step(now.horizon.virtual_step(now.step), total)
    if now.step % config.train.log_every == 0:
        logged |= averaged({name: value for name, value in logged.items() if name.startswith("loss")})
        logged |= now.watch.update(now.step, detached(out), logged["loss"], total)
    return logged | {"lr": rate, "grad_norm": norm}


def judged(config: RunConfig, now: Progress, judge: Judge | None) -> dict[str, float]:
    """The answer of the probe where it is due, to be logged; the highest one is remembered."""
    if judge is None or (now.step % config.train.probe_every and now.step != now.horizon.total):
        return {}
    score = judge()
    if not math.isfinite(score):
        return {}
    if now.score is None or score > now.score:
        now.score, now.scored_at = score, now.step
    return {"probe": score}


def is_best(config: RunConfig, now: Progress) -> bool:
    """Whether there was no better encoder so far: by the probe where there is one, else by its rank."""
    return now.scored_at == now.step if config.train.probe_every else now.watch.is_best()


def not_finite(value: float, what: str, step: int, ids: list[str]) -> TrainingStopped:
    """The error that keeps such a value from the weights and the target, with the samples of the ranks that have it."""
    finite = math.isfinite(value)
    names = of_all([] if finite else ids)
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    found = "not finite on another process" if finite else value
    return TrainingStopped(
        f"the {what} of step {step + 1} is {found}; the weights are those of step {step} and finite. Samples of that batch: {shown}. "
        "Look at them for values that are not finite, or lower optim.lr"
    )


def collect(logged: dict[str, float], loss: torch.Tensor, terms: Mapping[str, torch.Tensor], out: StepOutput, parts: int) -> None:
    """Adds one micro-batch to the logged means."""
    values = {"loss": loss, **{f"loss/{name}": value for name, value in terms.items()}}
    for name, value in values.items():
        logged[name] = logged.get(name, 0.0) + float(value.detach()) / parts
    for name, number in (out.plan.info if out.plan else {}).items():
        logged[f"mask/{name}"] = logged.get(f"mask/{name}", 0.0) + number / parts


def detached(out: StepOutput) -> StepOutput:
    """The same output without its graph, for the watch."""
    return StepOutput(
        predictions=tuple(part.detach() for part in out.predictions),
        targets=tuple(part.detach() for part in out.targets),
        valid=out.valid,
        weights=out.weights,
        contexts=tuple(type(part)(last=part.last.detach(), valid=part.valid) for part in out.contexts),
        plan=out.plan,
    )


def feed(config: RunConfig, parts: Parts, reader: Reader, stream: GlobalStream, now: Progress) -> Iterator[Batch]:
    """Micro-batches from where the run stands, without end."""
    horizon = now.horizon
    return batches(
        with_asides(reader, parts.jepa.target, config.data.cache_mib),
        stream=stream,
        start_step=now.step * config.train.accumulate,
        total_steps=None,
        progress=lambda micro: horizon.progress(micro // config.train.accumulate),
        view=parts.view,
        tokenizers=parts.tokenizers,
        masker=parts.masker,
        collate_mode=config.data.collate,
        seed=config.train.seed,
        workers=config.data.workers,
    )


def report(run: RunFolder | None, emit: Emit, now: Progress, numbers: Mapping[str, float]) -> None:
    """One line in metrics.jsonl and one event."""
    if run is None:
        return
    found = now.watch.verdict()
    record = {"event": "step", "step": now.step, "total": now.horizon.total, **numbers, "verdict": found.state}
    run.log(record)
    emit(record | {"sentence": found.sentence})


def minutes_left(config: RunConfig, now: Progress) -> float | None:
    """The budget of a run with minutes: all of it at the start, the rest of it on resuming."""
    minutes = config.train.minutes
    return None if minutes is None else minutes * (1.0 - now.horizon.progress(now.step))


def stopping(config: RunConfig, now: Progress) -> bool:
    """Whether the run is to end because it collapsed."""
    return config.train.on_collapse == "stop" and now.watch.verdict().state == "collapsed"


def save(
    run: RunFolder | None,
    emit: Emit,
    config: RunConfig,
    jepa: torch.nn.Module,
    optimizers: Optimizers,
    now: Progress,
    stream: GlobalStream,
    reader: Reader,
) -> None:
    """A checkpoint of everything; marked best when there was no better one. The first such one is saved at once, with a probe each."""
    if run is None or now.saved == now.step:
        return
    tensors = checkpoint.pack_module("model", jepa)
    for name, optimizer in optimizers.items():
        tensors |= checkpoint.pack_optimizer(name, optimizer, jepa.named_parameters())
    scalars = {
        "horizon": asdict(now.horizon),
        "stream": {"seed": stream.seed, "batch": stream.batch_size, "samples": stream.n, "fingerprint": reader.fingerprint()},
        "watch": now.watch.state(),
        "plugins": run.plugins,
        "probe": {"score": now.score, "step": now.scored_at},
    }
    best = is_best(config, now)
    path = checkpoint.save(run.path, now.step, State(now.step, tensors, scalars), keep=config.train.keep, best=best)
    now.saved, now.has_best = now.step, now.has_best or best
    emit({"event": "checkpoint", "step": now.step, "path": str(path)})


def restore(start: State, jepa: torch.nn.Module, optimizers: Optimizers, now: Progress, stream: GlobalStream, reader: Reader) -> None:
    """Puts a checkpoint back; CheckpointError when the data or the batch size are not those of the run."""
    said = start.scalars["stream"]
    if said["fingerprint"] != reader.fingerprint() or said["samples"] != stream.n:
        raise CheckpointError(
            f"the data changed since this run was saved ({said['samples']} samples then, {stream.n} now); "
            "resume with the same data, or start a new run"
        )
    checkpoint.unpack_module("model", start.tensors, jepa)
    for name, optimizer in optimizers.items():
        checkpoint.unpack_optimizer(name, start.tensors, optimizer, jepa.named_parameters())
    now.step, now.horizon = start.step, Horizon(**start.scalars["horizon"])
    now.watch.load(start.scalars["watch"])
    probe = start.scalars.get("probe", {})
    now.score, now.scored_at = probe.get("score"), probe.get("step", -1)
    now.saved = start.step


def verdict(run: RunFolder | None, now: Progress, stop: StopSignal) -> Result:
    """How the run ended, in words and as an exit code; of a collapse also what is left of better times."""
    found = now.watch.verdict()
    if stop.requested is not None:
        return Result("interrupted", stop.exit_code, now.step, f"stopped by signal {stop.requested} after step {now.step}, saved")
    if now.step < now.horizon.total and found.state != "collapsed":
        return Result("interrupted", 1, now.step, f"stopped by another of its processes after step {now.step}, saved")
    if found.state == "collapsed":
        good = None if run is None else checkpoint.best(run.path)
        kept = (
            "No checkpoint is older than that." if good is None else f"The last good checkpoint is that of step {good} (--checkpoint best)."
        )
        return Result("collapsed", 4, now.step, f"{found.sentence} {kept}")
    return Result("finished", 0, now.step, found.sentence)


def pick_device(name: str) -> torch.device:
    """The device that the config names; `auto` is an accelerator if there is one."""
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
