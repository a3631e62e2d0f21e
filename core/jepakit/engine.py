"""What a user can ask for, as functions: plan, train, resume, evaluate. The command line calls these; so may you."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jepakit import checkpoint
from jepakit.build import Parts, build, build_modality, fit_tokenizers
from jepakit.checkpoint import State
from jepakit.config import RunConfig, load_config
from jepakit.contracts import Reader
from jepakit.crossrank import rank, world_size
from jepakit.data.collate import prepare
from jepakit.data.stream import sample_rng, step_rng
from jepakit.errors import ConfigError
from jepakit.evaluate.during import TrainingProbe
from jepakit.evaluate.rows import Evaluation
from jepakit.evaluate.run import evaluate_encoder
from jepakit.forecast import Plan, forecast, repeats
from jepakit.horizon import Horizon
from jepakit.plugin_host.blame import attributed
from jepakit.plugin_host.guard import guard_reader
from jepakit.plugin_host.host import Host
from jepakit.plugin_host.provenance import drift, missing
from jepakit.report.artifacts import framed, save_masks
from jepakit.runs import EventWriter, RunFolder, environment, read_config, read_environment
from jepakit.sources import open_source
from jepakit.train.loop import Emit, Result, pick_device
from jepakit.train.loop import train as train_loop
from jepakit.train.ranks import joined

DEFAULT_STEPS = 1_000
"""Steps when a recipe names neither steps nor minutes: below about 600 a JEPA has barely left the position-only solution."""
MASK_PICTURES = 12
CHANGED_LATER = ("evaluate.", "data.limit=", "data.cache_mib=", "train.device=", "train.precision=")
"""Options that an evaluation may change: they say how an encoder is looked at, not what it is."""


def plan(config: RunConfig, host: Host, data: str) -> Plan:
    """What `train` would do, without training: opens the data, builds the model, collates one batch."""
    with attributed(host.plugins):
        parts, reader = opened(config, host, data)
        return forecast(config, parts, reader)


def opened(config: RunConfig, host: Host, data: str) -> tuple[Parts, Reader]:
    """The model and the data that it was built for."""
    modality = build_modality(config, host)
    reader = guard_reader(open_source(config, modality, data, "train"), host.plugins)
    return build(config, host, reader.spec(), modality), reader


def train(config: RunConfig, host: Host, data: str, out: Path, emit: Emit) -> Result:
    """A new run in the folder `out`, from the first step. Where the environment speaks of several ranks it is one of them."""
    host.check_clean()
    with attributed(host.plugins), joined():
        parts, reader = opened(config, host, data)
        fit_tokenizers(parts, reader)
        if rank():
            return follow(config, parts, reader, None)
        for sentence in repeats(len(reader), config.data.batch):
            emit({"event": "warning", "sentence": sentence})
        masks = draw_masks(config, parts, reader)  # data that the recipe does not fit stop it here, before there is a folder
        with RunFolder.create(out, {**config.resolved(), "source": data}, facts(config, host) | {"data": dict(reader.spec())}) as run:
            if masks is not None:
                save_masks(run.path, *masks)
            host.tell("before_run", {"run": str(out), "config": config.resolved()}, warning(emit))
            return go(config, parts, reader, run, emit, host, None)


def resume(out: Path, host: Host, emit: Emit) -> Result:
    """Goes on with a run from its newest whole checkpoint; the result is that of a run never stopped.

    Warns when a plugin is not the one that the checkpoint was made with; PluginError with the pip line when one is gone.
    """
    host.check_clean()
    with attributed(host.plugins), joined():
        if rank():
            config, source = config_of(out, host)
            return follow(config, *opened(config, host, source), checkpoint.load_latest(out))
        with RunFolder.open(out) as run:
            start = checkpoint.load_latest(out)
            config, source = config_of(out, host)
            run.plugins = host.used(config)
            for sentence in (*start.skipped, *drift(start.scalars.get("plugins", ()), run.plugins)):
                emit({"event": "warning", "sentence": sentence})
            parts, reader = opened(config, host, source)
            run.rewind(start.step)
            return go(config, parts, reader, run, emit, host, start)


def follow(config: RunConfig, parts: Parts, reader: Reader, start: State | None) -> Result:
    """The loop on every rank but the first, which alone writes and speaks."""
    return train_loop(config, parts, reader, None, lambda event: None, horizon=Horizon(planned_steps(config)), start=start)


def go(config: RunConfig, parts: Parts, reader: Reader, run: RunFolder, emit: Emit, host: Host, start: State | None) -> Result:
    """The loop, with plugins and TensorBoard listening at logging cadence."""
    with closing(EventWriter(run.path, 0 if start is None else start.step)) as curves:
        heard = Listeners(host, str(run.path), curves, emit)
        judge = TrainingProbe(config, parts, reader) if config.train.probe_every else None
        result = train_loop(config, parts, reader, run, heard, horizon=Horizon(planned_steps(config)), start=start, judge=judge)
    host.tell("after_run", {"run": str(run.path), "status": result.status}, warning(emit))
    return result


def warning(emit: Emit) -> Callable[[str], None]:
    """Sentences as events."""
    return lambda sentence: emit({"event": "warning", "sentence": sentence})


class Listeners:
    """Passes each event on: to whoever asked for the run, to TensorBoard, to the run events of plugins."""

    def __init__(self, host: Host, run: str, curves: EventWriter, emit: Emit) -> None:
        self._host, self._run, self._curves, self._emit = host, run, curves, emit
        self._collapsed = False

    def __call__(self, event: dict[str, Any]) -> None:
        self._emit(event)
        if event["event"] == "checkpoint":
            self._tell("after_checkpoint", step=event["step"], path=event["path"])
        if event["event"] != "step":
            return
        numbers = {name: value for name, value in event.items() if isinstance(value, float)}
        self._curves.scalars(event["step"], numbers)
        self._tell("after_step", step=event["step"], metrics=numbers)
        if event["verdict"] == "collapsed" and not self._collapsed:
            self._tell("on_collapse", step=event["step"], verdict=event["sentence"])
        self._collapsed = event["verdict"] == "collapsed"

    def _tell(self, event: str, **facts: Any) -> None:
        self._host.tell(event, {"run": self._run, **facts}, warning(self._emit))


def facts(config: RunConfig, host: Host) -> dict[str, Any]:
    """What the run ran on, for environment.json."""
    return environment(
        threads=torch.get_num_threads(), ranks=world_size(), device=str(pick_device(config.train.device)), plugins=host.used(config)
    )


def planned_steps(config: RunConfig) -> int:
    """Steps asked for; with minutes a first guess that the loop corrects after its first steps."""
    return config.train.steps or DEFAULT_STEPS


def config_of(out: Path, host: Host, overrides: Sequence[str] = ()) -> tuple[RunConfig, str]:
    """The config of a run and the data it was trained on. PluginError when a plugin that it was made with is gone."""
    said = read_config(out)
    if (error := missing(made_with(out), host.plugins)) is not None:
        raise error
    source = str(said.pop("source"))
    return load_config(said, overrides, host), source


def evaluate_run(
    out: Path, host: Host, data: str, test: str | None, emit: Emit, overrides: Sequence[str] = (), *, which: str = "latest"
) -> Evaluation:
    """Frozen features of a run's encoder beside the same encoder untrained and raw features; keeps what the report shows.

    which: the checkpoint, "latest", "best" or a step.
    overrides: "evaluate.probes=[linear,mlp]" and the like. ConfigError for an option that the trained encoder hangs on.
    """
    host.check_clean()
    for change in overrides:
        if not change.startswith(CHANGED_LATER):
            raise ConfigError(f"--set {change}: the run is evaluated as it was trained; only {', '.join(CHANGED_LATER)} can change now.")
    with attributed(host.plugins):
        config, _ = config_of(out, host, overrides)
        for sentence in drift(made_with(out), host.used(config)):
            emit({"event": "warning", "sentence": sentence})
        return evaluate_encoder(out, config, host, data, test, emit, which=which)


def made_with(out: Path) -> list[dict[str, str]]:
    """The plugins that the newest checkpoint was made with; those the run was started with where there is none."""
    scalars = checkpoint.latest_scalars(out)
    said: list[dict[str, str]] = (read_environment(out) if scalars is None else scalars).get("plugins", [])
    return said


def draw_masks(config: RunConfig, parts: Parts, reader: Reader) -> tuple[np.ndarray, list[str]] | None:
    """Pictures of samples from all over the data with their masks, and ids, for the report; None for a modality that draws none."""
    pictures, ids = [], []
    shown = min(MASK_PICTURES, len(reader))
    for index in (number * len(reader) // shown for number in range(shown)):
        sample = reader.read(index)
        seed = config.train.seed
        made = prepare(
            sample,
            view=parts.view,
            tokenizers=parts.tokenizers,
            masker=parts.masker,
            view_rng=sample_rng(seed, 0, sample.id, "view"),
            mask_rng=sample_rng(seed, 0, sample.id, "mask"),
            shared_rng=step_rng(seed, index, "mask"),
            progress=0.0,
        )
        layout = made.layouts.get("main")
        if made.plan is None or layout is None:
            return None
        picture = parts.modality.mask_picture(made.sample, layout, made.plan)
        if picture is None:
            return None
        pictures.append(picture)
        ids.append(sample.id)
    return (framed(pictures), ids) if pictures else None
