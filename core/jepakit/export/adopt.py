"""`jepakit import`: a folder of another program → a folder that `jepakit.load` reads, compared weight by weight before it is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from jepakit import __version__, disk
from jepakit.build import build_backbone, build_modality
from jepakit.checkpoint.tensors import parse_safetensors, safetensors_pieces
from jepakit.config import RunConfig, load_config
from jepakit.embed.source import MODEL_CONFIG, MODEL_TYPE, MODEL_WEIGHTS
from jepakit.errors import CheckpointError, ConfigError, JepakitError, UsageError
from jepakit.export.foreign import Translated, translate
from jepakit.plugin_host.host import Host

THEIR_CONFIG, THEIR_SCALES = "config.json", "preprocessor_config.json"
LIMIT = 1 << 20
CARD = """# {name}

An encoder taken over from another program ({kind}) by jepakit {version}: {width} wide, {depth} deep, {heads} heads. Nothing was trained.
The licence is that of the original weights.

```python
import jepakit

encoder = jepakit.load("path/of/this/folder")
z = encoder(samples)
```
"""


@dataclass(frozen=True)
class Adopted:
    """What was written: the folder, the size of the encoder, and how inputs are scaled (mean and std a channel, of values in [0, 1])."""

    out: str
    width: int
    depth: int
    heads: int
    patch: int
    positions: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"wrote an encoder {self.width} wide, {self.depth} deep, {self.heads} heads, patches of {self.patch} to {self.out}",
            f"inputs are scaled by mean {list(self.mean)} and std {list(self.std)}",
        ]


def adopt(folder: Path, recipe: str, host: Host, out: Path, heads: int | None = None) -> Adopted:
    """The encoder in `folder` (model.safetensors, and config.json where there is one) with the tokenizer of a recipe.

    Args:
        recipe: one whose tokenizer has a projection of patches, "proj", and whose encoder is the plain transformer.
        heads: overrides what config.json says.

    Raises:
        ConfigError: the weights or the recipe do not fit. UsageError: `out` is there already. JepakitError: it can't be written.
    """
    if out.exists():
        raise UsageError(f"--out {out} is there already; name a folder that does not exist yet")
    said = read_json(folder / THEIR_CONFIG)
    found = translate(read_weights(folder / MODEL_WEIGHTS), heads or said.get("num_attention_heads"))
    config = fitted(recipe, found, host)
    channels = found.patch[0].shape[1]
    spec = {"kind": config.modality, "channels": channels, "count": 0}
    mean, std = scales(folder, channels)
    tensors = together(config, host, spec, found, mean, std)
    patch = int(found.patch[0].shape[-1])
    written = {
        "model_type": MODEL_TYPE,
        "format": "imported",
        "jepakit": __version__,
        "name": folder.resolve().name,
        "step": 0,
        "pooling": "mean",
        "width": found.settings.width,
        "spec": spec,
        "config": config.resolved(),
    }
    size = found.settings
    page = CARD.format(
        name=folder.resolve().name,
        kind=said.get("model_type") or said.get("architecture") or "a vision transformer",
        version=__version__,
        width=size.width,
        depth=size.depth,
        heads=size.heads,
    )
    try:
        out.mkdir(parents=True)
        disk.write_new(out / MODEL_WEIGHTS, safetensors_pieces(tensors), mode=0o644)
        (out / "README.md").write_text(page, encoding="utf-8")
        (out / MODEL_CONFIG).write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise JepakitError(f"{out} can't be written: {error.strerror or error}; choose another --out") from error
    return Adopted(str(out), size.width, size.depth, size.heads, patch, size.positions, mean, std)


def fitted(recipe: str, found: Translated, host: Host) -> RunConfig:
    """The recipe with the encoder's size and the patch of the weights. ConfigError where it has no such options."""
    encoder = {"name": "transformer", **found.settings.model_dump(mode="json")}
    patch = found.patch[0].shape[-1]
    changes = [f"encoder={json.dumps(encoder)}", f"tokenizer.patch={patch}", f"transform.levels=[{found.settings.depth - 1}]"]
    return load_config(recipe, changes, host)


def together(
    config: RunConfig, host: Host, spec: Mapping[str, Any], found: Translated, mean: tuple[float, ...], std: tuple[float, ...]
) -> dict[str, Tensor]:
    """State of our tokenizer and encoder with those weights. ConfigError when a tensor has no place or another shape."""
    build_modality(config, host)
    with torch.random.fork_rng(devices=[]):
        backbone = build_backbone(config, host, spec)
    own = backbone.state_dict()
    weight, bias = found.patch
    given = {f"encoder.{name}": tensor for name, tensor in found.encoder.items()}
    given |= {"tokenizers.main.proj.weight": weight.flatten(1), "tokenizers.main.proj.bias": bias}
    given |= {"tokenizers.main.mean": torch.tensor(mean), "tokenizers.main.std": torch.tensor(std)}
    wrong = sorted(given.keys() ^ own.keys()) or [name for name in own if own[name].shape != given[name].shape]
    if wrong:
        raise ConfigError(f"recipe '{config.recipe}' builds another encoder than these weights are of: {', '.join(wrong[:4])}")
    return given


def scales(folder: Path, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation a channel that inputs are scaled by, as the folder says; 0.5 and 0.5 where it does not."""
    said = read_json(folder / THEIR_SCALES)
    own = read_json(folder / THEIR_CONFIG).get("pretrained_cfg") or {}
    mean = said.get("image_mean") or own.get("mean") or [0.5] * channels
    std = said.get("image_std") or own.get("std") or [0.5] * channels
    if len(mean) != channels or len(std) != channels:
        raise ConfigError(f"{folder / THEIR_SCALES} scales {len(mean)} channels, the weights have {channels}")
    return tuple(map(float, mean)), tuple(map(float, std))


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a .safetensors file. CheckpointError when it is missing or none; files of pickles are not read."""
    try:
        return parse_safetensors(disk.read_file(path, limit=path.stat().st_size))
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error}; only safetensors are read, never pickles (.bin, .pt, .pth)") from error


def read_json(path: Path) -> dict[str, Any]:
    """A small JSON object; empty when there is no such file."""
    try:
        said = json.loads(disk.read_file(path, limit=LIMIT))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} can't be read: {error}") from error
    return said if isinstance(said, dict) else {}
