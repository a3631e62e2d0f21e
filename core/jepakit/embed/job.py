"""`jepakit embed`: a whole data set to one file, in constant memory, able to go on where it was stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jepakit.checkpoint.pack import pack_module
from jepakit.checkpoint.tensors import safetensors_pieces
from jepakit.contracts import Reader
from jepakit.embed.columns import table_of
from jepakit.embed.encoder import LoadedEncoder
from jepakit.embed.formats import assemble, check_suffix
from jepakit.embed.parts import Parts
from jepakit.errors import DataError, JepakitError

PART = 2048
"""Samples in a part: what a kill can cost, and at token level some 100 MiB of memory for 64 tokens of 192 values."""
TOKEN_PART = 256
"""Samples in a part at token level, where a sample has many rows."""
SEVERAL = ("multilabel", "regression")
"""Kinds of labels that may be a row of numbers, and then stay one. Dense labels are no property of an embedding."""
Emit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Embedded:
    """What was written. rows: samples, or tokens. resumed: samples that an earlier run of the command had done."""

    out: str
    samples: int
    rows: int
    width: int
    pooling: str
    level: str
    resumed: int

    def lines(self) -> list[str]:
        """For people."""
        what = f"{self.samples:,} samples" if self.level == "sample" else f"{self.rows:,} tokens of {self.samples:,} samples"
        how = f", pooling {self.pooling}" if self.level == "sample" else ""
        went_on = f" ({self.resumed:,} of them were done before)" if self.resumed else ""
        return [f"wrote {what}{went_on}, {self.width} values each{how}, to {self.out}"]


def embed_to_file(encoder: LoadedEncoder, reader: Reader, out: Path, emit: Emit) -> Embedded:
    """Every sample of `reader` in order; the file appears when it is complete. Memory: one part.

    Raises:
        UsageError: `out` has an unknown suffix. JepakitError: it can't be written, or parts of something else lie beside it.
    """
    check_suffix(out)
    if not len(reader):
        raise DataError("there is no sample to embed; give data with at least one")
    parts = Parts(out.with_name(f"{out.name}.parts"))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        parts.begin(making(encoder, reader))
        resumed, width = fill(parts, encoder, reader, emit)
        rows = assemble(parts, part_count(encoder, reader), out)
        parts.remove()
    except OSError as error:
        raise JepakitError(f"{out} can't be written: {error.strerror or error}; free some space or choose another --out") from error
    return Embedded(str(out), len(reader), rows, width, encoder.module.pooling, encoder.level, resumed)


def fill(parts: Parts, encoder: LoadedEncoder, reader: Reader, emit: Emit) -> tuple[int, int]:
    """Makes the parts that are not there yet; returns the samples that were, and the width of an embedding."""
    size, resumed, width = part_size(encoder), 0, 0
    for number in range(part_count(encoder, reader)):
        start, stop = number * size, min((number + 1) * size, len(reader))
        if parts.has(number):
            resumed += stop - start
            continue
        rows = list(encoder.running.rows(reader, start, stop))
        width = rows[0].z.shape[1]
        several = reader.spec().get("label_kind") in SEVERAL
        parts.write(number, table_of(rows, start, tokens=encoder.level == "token", several=several and np.ndim(rows[0].label) == 1))
        emit({"event": "embed", "samples": stop, "total": len(reader), "sentence": f"{stop:,} of {len(reader):,} samples"})
    if not width:
        width = next(iter(encoder.running.rows(reader, 0, 1))).z.shape[1]
    return resumed, width


def part_size(encoder: LoadedEncoder) -> int:
    """Samples a part: whole batches, so that a resumed run batches as one that never stopped."""
    wanted = PART if encoder.level == "sample" else TOKEN_PART
    return max(1, wanted // encoder.batch) * encoder.batch


def part_count(encoder: LoadedEncoder, reader: Reader) -> int:
    """Parts that the whole set makes."""
    return -(-len(reader) // part_size(encoder))


def making(encoder: LoadedEncoder, reader: Reader) -> dict[str, Any]:
    """What decides the numbers: weights, data, and how one becomes the other."""
    digest = hashlib.sha256()
    for piece in safetensors_pieces(pack_module("model", encoder.module.backbone)):
        digest.update(piece)
    digest.update(json.dumps(encoder.kept.config.resolved(), sort_keys=True).encode())
    return {
        "encoder": digest.hexdigest(),
        "data": reader.fingerprint(),
        "samples": len(reader),
        "level": encoder.level,
        "pooling": encoder.module.pooling,
        "precision": encoder.running.number_format,
        "batch": encoder.batch,
    }
