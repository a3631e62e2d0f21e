"""From a folder to a live encoder: of a run with its checkpoints, or of an exported model with config.json and model.safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from jepakit import checkpoint, disk
from jepakit.build import build, build_backbone, build_modality
from jepakit.checkpoint.tensors import parse_safetensors
from jepakit.config import RunConfig, load_config
from jepakit.contracts import Modality
from jepakit.errors import CheckpointError, ConfigError, JepakitError
from jepakit.evaluate.run import chosen_backbone
from jepakit.model.backbone import Backbone
from jepakit.plugin_host.host import Host
from jepakit.runs import CONFIG, ENVIRONMENT, read_config
from jepakit.sources import open_source

MODEL_CONFIG, MODEL_WEIGHTS = "config.json", "model.safetensors"
"""The two files of an exported folder, under the names that Hugging Face tools look for."""
MODEL_TYPE = "jepakit"
CONFIG_LIMIT = 16 << 20
"""Bytes that the first may have."""
MIDDLE_POOLING = "mean"
"""Pooling of a run that was never evaluated."""


@dataclass(frozen=True)
class Kept:
    """An encoder with all that is needed to feed it.

    spec: of the training data, as `Reader.spec`. step: of the checkpoint. pooling: what `pooling="auto"` means. name: of the run.
    """

    config: RunConfig
    spec: Mapping[str, Any]
    modality: Modality
    backbone: Backbone
    step: int
    pooling: str
    name: str


def load_kept(path: Path, host: Host, which: str = "latest") -> Kept:
    """The encoder in `path`.

    Args:
        path: the folder of a run, or one written by `jepakit export --format huggingface`.
        which: "latest", "best" or the step of a checkpoint; an exported folder holds one state only.

    Raises:
        JepakitError: `path` is neither. CheckpointError: the checkpoint is missing, damaged or of another config.
    """
    if (path / CONFIG).is_file():
        return from_run(path, host, which)
    if (path / MODEL_CONFIG).is_file():
        return from_export(path, host)
    what = f"has neither {CONFIG} (a run) nor {MODEL_CONFIG} (an exported model)" if path.is_dir() else "is not a folder"
    raise JepakitError(f"{path} {what}; give the folder of a run, which `jepakit train … --out` wrote")


def from_run(path: Path, host: Host, which: str) -> Kept:
    """The encoder that users keep (averaged where there is one), of one checkpoint of a run."""
    said = read_config(path)
    source = str(said.pop("source"))
    config = load_config(said, (), host)
    modality = build_modality(config, host)
    spec: Mapping[str, Any] | None = data_spec(path)
    if spec is None:  # a run of an older version: only its data knows
        spec = open_source(config, modality, source, "train").spec()
    parts = build(config, host, spec, modality)
    state = checkpoint.load_named(path, which)
    checkpoint.unpack_module("model", state.tensors, parts.jepa)
    return Kept(config, spec, modality, chosen_backbone(config, parts), state.step, pooling_of(path), path.resolve().name)


def data_spec(path: Path) -> dict[str, Any] | None:
    """What the training data of a run is like, from its environment.json; None when it does not say."""
    try:
        said = json.loads((path / ENVIRONMENT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    spec = said.get("data") if isinstance(said, dict) else None
    return spec if isinstance(spec, dict) else None


def pooling_of(path: Path) -> str:
    """The pooling that the evaluation of a run chose on training samples; the mean of all tokens where there was none."""
    try:
        return str(json.loads((path / "evaluation.json").read_text(encoding="utf-8"))["pooling"])
    except (OSError, ValueError, KeyError, TypeError):
        return MIDDLE_POOLING


def from_export(path: Path, host: Host) -> Kept:
    """The encoder of an exported folder."""
    said = read_model_config(path)
    config = load_config(said["config"], (), host)
    with torch.random.fork_rng(devices=[]):
        backbone = build_backbone(config, host, said["spec"])
    try:
        weights = path / MODEL_WEIGHTS
        tensors = parse_safetensors(disk.read_file(weights, limit=weights.stat().st_size))
    except OSError as error:
        raise CheckpointError(f"{path / MODEL_WEIGHTS} can't be read: {error}") from error
    checkpoint.unpack_module("model", {f"model/{name}": tensor for name, tensor in tensors.items()}, backbone)
    return Kept(config, said["spec"], build_modality(config, host), backbone, said["step"], said["pooling"], said["name"])


def read_model_config(path: Path) -> dict[str, Any]:
    """config.json of an exported folder; ConfigError when it was not written by jepakit or lacks something."""
    try:
        said = json.loads(disk.read_file(path / MODEL_CONFIG, limit=CONFIG_LIMIT))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path / MODEL_CONFIG} can't be read: {error}") from error
    if not isinstance(said, dict) or said.get("model_type") != MODEL_TYPE:
        raise ConfigError(f"{path / MODEL_CONFIG} is of another program: expected model_type '{MODEL_TYPE}'")
    missing = [key for key in ("config", "spec", "step", "pooling", "name") if key not in said]
    if missing:
        raise ConfigError(f"{path / MODEL_CONFIG} lacks {', '.join(missing)}; export the run again")
    return said
