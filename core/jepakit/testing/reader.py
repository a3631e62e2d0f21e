"""What every reader and every modality promises: the same samples every time, made-up ones with a structure, raw features."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

import numpy as np

from jepakit.contracts import Modality, Reader
from jepakit.errors import DataError
from jepakit.testing.check import Check, Skipped, expect
from jepakit.testing.compare import rng, same_sample, travelled, unchanged_globals

LOOKED_AT = 24
"""Samples that a check reads."""
MADE = 64


def check_reader(reader: Reader) -> Iterator[Check]:
    """Checks of one reader, on its first samples."""
    for name, run, remedy in (
        ("samples", _samples, "return Sample with arrays of numbers in `streams`"),
        ("deterministic", _deterministic, "read(i) must not depend on what was read before"),
        ("ids", _ids, "give every sample an id of its own: masks and augmentations are keyed by it"),
        ("spec", _spec, 'spec() is plain data with "kind", the name of the modality'),
        ("fingerprint", _fingerprint, "fingerprint() is a text that changes with the data only"),
        ("labels", _labels, "label all samples or none, with class numbers or numbers"),
        ("spawns", _spawns, "keep arrays and paths in the reader, no lambdas, open files or generators"),
    ):
        yield Check(f"reader.{name}", partial(run, reader), remedy)


def _some(reader: Reader) -> range:
    expect(len(reader) > 0, "it has no sample")
    return range(min(LOOKED_AT, len(reader)))


def _samples(reader: Reader) -> None:
    for index in _some(reader):
        sample = reader.read(index)
        expect(bool(sample.streams), f"sample {index} has no stream")
        for name, array in sample.streams.items():
            numeric = isinstance(array, np.ndarray) and array.dtype.kind in "biuf" and array.size > 0
            expect(
                numeric,
                f"stream '{name}' of sample {index} must be an array of numbers, it is {getattr(array, 'dtype', type(array).__name__)}",
            )


def _deterministic(reader: Reader) -> None:
    with unchanged_globals("the reader"):
        first = [reader.read(index) for index in _some(reader)]
        for index in reversed(_some(reader)):
            same_sample(first[index], reader.read(index), f"sample {index} is another one when it is read again in another order")


def _ids(reader: Reader) -> None:
    ids = [reader.read(index).id for index in _some(reader)]
    expect(all(isinstance(name, str) and name for name in ids), "an id is no text, or empty")
    expect(len(set(ids)) == len(ids), f"{len(ids) - len(set(ids))} of {len(ids)} ids are taken twice")


def _spec(reader: Reader) -> None:
    spec = reader.spec()
    expect(isinstance(spec.get("kind"), str), f'spec() has no text "kind": {sorted(spec)}')
    try:
        json.dumps(dict(spec), allow_nan=False)
    except (TypeError, ValueError) as error:
        expect(False, f"spec() is not plain data: {error}")


def _fingerprint(reader: Reader) -> None:
    said = reader.fingerprint()
    expect(isinstance(said, str) and bool(said), f"fingerprint() must be a text, it is {said!r}")
    reader.read(0)
    expect(reader.fingerprint() == said, "fingerprint() is another one after a sample was read")


def _labels(reader: Reader) -> None:
    labels = [reader.read(index).label for index in _some(reader)]
    missing = sum(label is None for label in labels)
    expect(missing in (0, len(labels)), f"{missing} of {len(labels)} samples have no label")


def _spawns(reader: Reader) -> None:
    same_sample(reader.read(0), travelled(reader).read(0), "in a data worker sample 0 is another one")


def check_modality(modality: Modality) -> Iterator[Check]:
    """Checks of one modality on its own made-up samples, and those of their reader."""
    for name, run, remedy in (
        ("synthetic", _synthetic, "draw every sample from a generator keyed by (seed, split, index)"),
        ("synthetic_labels", _synthetic_labels, "give made-up samples a label that a good encoder separates"),
        ("synthetic_not_by_place", _not_by_place, "mix the classes over the index"),
        ("raw_features", _raw_features, "return a finite 1-D float32 array of one length"),
        ("pictures", _pictures, "return (H, W, 3) uint8 or None"),
        ("missing_path", _missing_path, "raise DataError naming the path and what is expected there"),
    ):
        yield Check(f"modality.{name}", partial(run, modality), remedy)
    yield from check_reader(modality.synthetic(MADE, 0))


def _synthetic(modality: Modality) -> None:
    with unchanged_globals("synthetic()"):
        first, again = modality.synthetic(MADE, 3), modality.synthetic(MADE, 3)
        other, test = modality.synthetic(MADE, 4), modality.synthetic(MADE, 3, "test")
    expect(len(first) == MADE, f"synthetic({MADE}, ...) gives {len(first)} samples")
    expect(first.fingerprint() == again.fingerprint(), "the same seed gives another fingerprint")
    same_sample(first.read(1), again.read(1), "the same seed gives other samples")
    for name, reader in (("another seed", other), ("the test split", test)):
        expect(not _overlap(first, reader), f"{name} gives samples of the first again")
    expect(len({first.fingerprint(), other.fingerprint(), test.fingerprint()}) == 3, "other samples have the same fingerprint")


def _overlap(ours: Reader, theirs: Reader) -> bool:
    digests = [{tuple(a.tobytes() for a in reader.read(i).streams.values()) for i in range(len(reader))} for reader in (ours, theirs)]
    return bool(digests[0] & digests[1])


def _synthetic_labels(modality: Modality) -> None:
    reader = modality.synthetic(MADE, 0)
    labels = [reader.read(index).label for index in range(MADE)]
    expect(all(label is not None for label in labels), "made-up samples have no label")
    expect(len({str(label) for label in labels}) > 1, "all made-up samples have the same label")


def _not_by_place(modality: Modality) -> None:
    """Nearest neighbours in time must not tell the class: else a probe that knows when a sample was recorded passes for an encoder."""
    reader = modality.synthetic(MADE, 0)
    labels = np.asarray([reader.read(index).label for index in range(MADE)])
    if labels.dtype.kind not in "biu":
        raise Skipped("the labels are no classes")
    hits = float((labels[1:] == labels[:-1]).mean())
    chance = float((np.unique(labels, return_counts=True)[1] / MADE).max())
    bound = chance + 3 * float(np.sqrt(chance * (1 - chance) / MADE))
    expect(hits <= bound, f"the class of a sample is that of the one before it in {hits:.0%} of cases, by chance it is {chance:.0%}")


def _raw_features(modality: Modality) -> None:
    reader = modality.synthetic(8, 0)
    rows = [modality.raw_features(reader.read(index)) for index in range(8)]
    for row in rows:
        expect(
            isinstance(row, np.ndarray) and row.ndim == 1 and row.dtype == np.float32, f"raw_features is no 1-D float32 array: {row!r:.60}"
        )
        expect(row.shape == rows[0].shape, f"raw_features have {len(row)} and {len(rows[0])} numbers")
        expect(bool(np.isfinite(row).all()), "raw_features holds values that are not finite")


def _pictures(modality: Modality) -> None:
    picture = modality.picture(modality.synthetic(2, 0).read(0))
    if picture is None:
        raise Skipped("it draws no picture")
    expect(picture.ndim == 3 and picture.shape[2] == 3 and picture.dtype == np.uint8, f"a picture is {picture.shape} {picture.dtype}")


def _missing_path(modality: Modality) -> None:
    path = f"no-such-folder-{rng(1).integers(1 << 30)}"
    try:
        modality.open(path, "train")
    except DataError as error:
        expect(path in str(error), f"the error does not name the path: {error}")
        return
    expect(False, "a path that does not exist is opened without an error")
