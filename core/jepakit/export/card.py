"""README.md of an exported encoder: what it is, what it was trained on, what it scored, how to use it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jepakit import __version__
from jepakit.embed.source import Kept

LICENCE = (
    "The weights are yours: jepakit claims nothing in them. Check what the licence of your training data allows before you share them."
)
HEADER = """---
library_name: jepakit
tags: [jepa, self-supervised, feature-extraction, {modality}]
license: other
license_name: set-by-the-owner-of-the-weights
---
"""


def card(kept: Kept, source: str, judged: Mapping[str, Any], said: Mapping[str, Any]) -> str:
    """The whole page. source: what was given to --data. judged: evaluation.json, empty without one. said: config.json."""
    parts = [
        HEADER.format(modality=kept.config.modality) if said["format"] == "huggingface" else "",
        f"# {kept.name}\n",
        f"An encoder of the modality {kept.config.modality}, trained without labels by joint-embedding prediction (JEPA) with "
        f"jepakit {__version__}, recipe `{kept.config.recipe}`, {kept.step:,} steps of {kept.config.data.batch} samples.\n",
        trained_on(kept, source),
        "## Use\n\n" + usage(said),
        "## Numbers\n\n" + numbers(judged),
        f"## Checked\n\nThe files were read back and run on {said['checked']['samples']} samples: the largest difference from the original "
        f"is {said['checked']['largest_difference']:.2g} (embeddings have a standard deviation of {said['checked']['std']:.2g}).\n",
        f"## Licence\n\n{LICENCE}\n",
    ]
    return "\n".join(part for part in parts if part)


def trained_on(kept: Kept, source: str) -> str:
    """What is known of the training data; of a path only the name, since folders of other machines say nothing."""
    name = Path(source).name if "/" in source else source
    facts = [f"`{name}`"]
    facts += [f"{kept.spec['count']:,} samples"] if isinstance(kept.spec.get("count"), int) else []
    facts += [f"{key.replace('_', ' ')}: {kept.spec[key]}" for key in ("channels", "shape", "rate_hz") if kept.spec.get(key)]
    return f"Training data: {', '.join(facts)}.\n"


def usage(said: Mapping[str, Any]) -> str:
    """The lines that run it."""
    shape = ", ".join(map(str, said["input"]["shape"]))
    if said["format"] == "onnx":
        code = 'session = onnxruntime.InferenceSession("model.onnx")\nz = session.run(["embedding"], {"values": values})[0]'
        return f"```python\nimport onnxruntime\n\n{code}\n```\n\n`values` is an array (B, {shape}) of {said['input']['dtype']}.\n"
    if said["format"] == "torch-export":
        code = 'encoder = torch.export.load("model.pt2").module()\nz = encoder(values)'
        return f"```python\nimport torch\n\n{code}\n```\n\n`values` is a tensor (B, {shape}) of {said['input']['dtype']}.\n"
    return (
        '```python\nimport jepakit\n\nencoder = jepakit.load("path/of/this/folder")\nz = encoder(samples)\n```\n\n'
        f"`samples` are arrays as their modality stores them, for example ({shape}) of {said['input']['dtype']}. "
        f"Pooling: `{said['pooling']}`, {said['width']} values a sample.\n"
    )


def numbers(judged: Mapping[str, Any]) -> str:
    """The rows of the evaluation, encoder beside what it has to beat."""
    rows = [row for row in judged.get("rows") or () if row.get("fold") is None]
    if not rows:
        return "Not evaluated.\n"
    names = list(dict.fromkeys(str(row["row"]) for row in rows))
    lines: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in rows:
        value = f"{row['value']:.4g} ({row['low']:.4g} – {row['high']:.4g})" if "low" in row else f"{row['value']:.4g}"
        lines.setdefault((str(row["probe"]), str(row["labels"]), str(row["metric"])), {})[str(row["row"])] = value
    table = [f"| probe | labels | metric | {' | '.join(names)} |", "|---" * (3 + len(names)) + "|"]
    table += [f"| {' | '.join(key)} | {' | '.join(cells.get(name, '') for name in names)} |" for key, cells in lines.items()]
    sentence = str(judged.get("sentence") or "")
    return "\n".join([*table, "", f"Frozen features, 95 % intervals in brackets. {sentence}", ""])
