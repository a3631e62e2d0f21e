"""What the predictor of a run answers on new samples, and what it should have answered: one vector a sample each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jepakit import engine
from jepakit.build import Parts, build, build_modality
from jepakit.config import RunConfig
from jepakit.contracts import Reader, ViewMaker
from jepakit.data.loader import eval_batches
from jepakit.errors import ConfigError
from jepakit.evaluate.run import same_scalers, trained_parts
from jepakit.plans import plan_of
from jepakit.plugin_host.host import Host
from jepakit.plugin_host.loader import discover
from jepakit.sources import open_source

BATCH = 64


@dataclass(frozen=True)
class Answers:
    """predicted, asked: (M, Dt) float32, means over the tokens of the first query. ids: M names of samples."""

    predicted: np.ndarray
    asked: np.ndarray
    ids: tuple[str, ...]


def answers_of(run: Path, data: str, view: ViewMaker, *, split: str = "test") -> dict[str, Answers]:
    """Answers of a run and, under "untrained", those of the same parts before training, on the samples of `data` seen through `view`.

    Raises:
        ConfigError: the recipe predicts nothing. What opening the run or the data raises.
    """
    host, config = open_run(run)
    modality = build_modality(config, host)
    reader = open_source(config, modality, data, split)
    return {name: answers(config, parts, reader, view) for name, parts in parts_of(run, reader).items()}


def parts_of(run: Path, reader: Reader) -> dict[str, Parts]:
    """The parts of a run for data like that of `reader`: "encoder" as trained, "untrained" with the same scalers."""
    host, config = open_run(run)
    trained = trained_parts(run, config, host, reader.spec(), build_modality(config, host))
    untrained = build(config, host, reader.spec(), trained.modality)
    same_scalers(trained, untrained)
    return {"encoder": trained, "untrained": untrained}


def open_run(run: Path) -> tuple[Host, RunConfig]:
    """The plugins that are installed, and what a run was made of."""
    host = discover()
    return host, engine.config_of(run, host)[0]


@torch.inference_mode()
def answers(config: RunConfig, parts: Parts, reader: Reader, view: ViewMaker) -> Answers:
    """One pass over all samples, in float32, each masked as in training."""
    jepa = parts.jepa.eval()
    predicted: list[Tensor] = []
    asked: list[Tensor] = []
    ids: list[str] = []
    for batch in eval_batches(reader, BATCH, parts.tokenizers, view=view, seed=config.train.seed):
        _, _, out = jepa(batch, plan_of(batch, parts, config, 0, 1.0), 0)
        if not out.predictions:
            raise ConfigError(f"recipe of modality '{config.modality}' predicts nothing, so there are no answers to look at")
        predicted.append(mean_of(out.predictions[0], out.valid[0]))
        asked.append(mean_of(out.targets[0], out.valid[0]))
        ids.extend(batch.ids)
    return Answers(torch.cat(predicted).numpy(), torch.cat(asked).numpy(), tuple(ids))


def mean_of(tokens: Tensor, valid: Tensor | None) -> Tensor:
    """(B, n, D) → (B, D) float32 over valid tokens."""
    if valid is None:
        return tokens.float().mean(1)
    mass = valid.float()[..., None]
    return (tokens.float() * mass).sum(1) / mass.sum(1).clamp_min(1.0)
