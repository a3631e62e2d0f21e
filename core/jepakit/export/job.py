"""`jepakit export`: write into a folder beside the goal, run what was written, compare, and only then give it its name."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jepakit import __version__, disk
from jepakit.contracts import Reader
from jepakit.embed.encoder import LoadedEncoder
from jepakit.embed.source import MODEL_CONFIG, MODEL_TYPE
from jepakit.errors import DataError, JepakitError, UsageError
from jepakit.export.card import card
from jepakit.export.formats import FEWEST_ROWS, check_installed
from jepakit.export.frozen import Example
from jepakit.report.artifacts import EVALUATION
from jepakit.runs import read_config

SAMPLES = 8
"""Samples that the exported files are compared on."""
TOLERANCE = 1e-4
"""Largest difference allowed, in standard deviations of the embeddings: float32 sums in another order differ by some 1e-6."""
SMALLEST = 1e-12
"""A standard deviation below this is none: the embeddings are one and the same."""


@dataclass(frozen=True)
class Exported:
    """What was written. largest_difference: from the original, over all compared values. std: of the original's values."""

    out: str
    format: str
    files: tuple[str, ...]
    bytes: int
    samples: int
    width: int
    largest_difference: float
    std: float

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"wrote {', '.join(self.files)} ({self.bytes / 1e6:,.1f} MB) to {self.out}",
            f"read back and compared on {self.samples} samples: largest difference {self.largest_difference:.2g} "
            f"at a standard deviation of {self.std:.2g}",
        ]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def export(encoder: LoadedEncoder, name: str, out: Path, data: str | None = None) -> Exported:
    """The encoder in one format of `FORMATS`, in the folder `out`.

    Args:
        data: samples to compare on, and for a graph the size of its input; by default what the run was trained on.

    Raises:
        JepakitError: the files do not give what the original gives, or can't be written. UsageError: `out` holds something already.
    """
    form = check_installed(name)
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]):
        raise UsageError(f"--out {out} holds something already; name a folder that does not exist yet")
    source = data or source_of(encoder)
    example = example_of(encoder.open(source))
    original = encoder(example.samples)
    assert isinstance(original, np.ndarray)
    folder = out.with_name(f".tmp-{out.name}")
    try:
        discard(folder)
        folder.mkdir(parents=True)
        said = description(encoder, name, example, original)
        (folder / MODEL_CONFIG).write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
        form.write(encoder, example, folder)
        checked = difference(name, original, form.run(folder, example))
        write_page(encoder, source, folder, said | {"checked": checked})
        publish(folder, out)
    except OSError as error:
        raise JepakitError(f"{out} can't be written: {error.strerror or error}; choose another --out") from error
    finally:
        discard(folder)
    files = sorted(path.name for path in out.iterdir())
    size = sum((out / file).stat().st_size for file in files)
    return Exported(str(out), name, tuple(files), size, len(original), original.shape[-1], checked["largest_difference"], checked["std"])


def source_of(encoder: LoadedEncoder) -> str:
    """The data that a run was trained on. UsageError for a folder that is no run: it does not say."""
    try:
        return str(read_config(Path(encoder.run))["source"])
    except (JepakitError, KeyError) as error:
        raise UsageError(f"{encoder.run} does not say which data it was trained on; give some with --data") from error


def example_of(reader: Reader) -> Example:
    """The first samples that have the size of the first one, at least two."""
    drawn = [reader.read(row) for row in range(min(SAMPLES, len(reader)))]
    if not drawn:
        raise DataError("there is no sample to compare on; give --data with at least one")
    sizes = [{name: np.shape(array) for name, array in sample.streams.items()} for sample in drawn]
    alike = [sample for sample, size in zip(drawn, sizes) if size == sizes[0]]
    return Example(tuple(alike if len(alike) >= FEWEST_ROWS else alike * FEWEST_ROWS))


def description(encoder: LoadedEncoder, name: str, example: Example, original: np.ndarray) -> dict[str, Any]:
    """config.json: what `jepakit.load` needs, and what other programs want to know."""
    kept = encoder.kept
    array = next(iter(example.samples[0].streams.values()))
    return {
        "model_type": MODEL_TYPE,
        "format": name,
        "jepakit": __version__,
        "name": kept.name,
        "step": kept.step,
        "pooling": encoder.module.pooling,
        "width": original.shape[-1],
        "input": {"dtype": str(array.dtype), "shape": list(array.shape)},
        "spec": dict(kept.spec),
        "config": kept.config.resolved(),
    }


def difference(name: str, original: np.ndarray, found: np.ndarray) -> dict[str, Any]:
    """How far the files are from the original; JepakitError beyond the tolerance."""
    if found.shape != original.shape:
        raise JepakitError(f"--format {name} gives embeddings of shape {found.shape}, the original {original.shape}; nothing was kept")
    largest, std = float(np.abs(found - original).max()), float(original.std())
    if not largest <= TOLERANCE * max(std, SMALLEST):
        raise JepakitError(
            f"--format {name}: what was written differs from the original by {largest:.2g} at a standard deviation of {std:.2g}; "
            "nothing was kept. Export as safetensors, and report this with the config of the run"
        )
    return {"samples": len(original), "largest_difference": largest, "std": std}


def write_page(encoder: LoadedEncoder, source: str, folder: Path, said: Mapping[str, Any]) -> None:
    """README.md, with the evaluation of the run where there is one."""
    try:
        judged = json.loads((Path(encoder.run) / EVALUATION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        judged = {}
    page = card(encoder.kept, source, judged if isinstance(judged, dict) else {}, said)
    (folder / "README.md").write_text(page, encoding="utf-8")


def publish(folder: Path, out: Path) -> None:
    """Give the folder its name, all of it at once."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    if out.exists():
        out.rmdir()
    folder.rename(out)
    disk.sync_folder(out.resolve().parent)


def discard(folder: Path) -> None:
    """Delete a half-made folder, if there is one."""
    if folder.exists():
        shutil.rmtree(folder)
