"""Batches in a given order, prepared in this process or in workers, the same ones either way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from torch.utils.data import DataLoader, Dataset

from jepakit.contracts import Batch, Masker, Reader, Sample, Tokenizer, ViewMaker
from jepakit.data.collate import CollateMode, collate, prepare
from jepakit.data.stream import GlobalStream, keyed_rng, sample_rng, step_rng
from jepakit.errors import DataError


class CachedReader(Reader):
    """Keeps samples of another reader in memory, first come, first kept, up to `max_bytes` of array data."""

    def __init__(self, inner: Reader, max_bytes: int) -> None:
        self.inner, self.max_bytes = inner, max_bytes
        self._kept: dict[int, Sample] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self.inner)

    def read(self, index: int) -> Sample:
        if index in self._kept:
            return self._kept[index]
        sample = self.inner.read(index)
        size = sum(array.nbytes for array in sample.streams.values())
        if self._bytes + size <= self.max_bytes:
            self._kept[index] = sample
            self._bytes += size
        return sample

    def spec(self) -> Mapping[str, Any]:
        return self.inner.spec()

    def fingerprint(self) -> str:
        return self.inner.fingerprint()


@dataclass(frozen=True)
class Recipe:
    """How one batch is prepared: everything but which samples."""

    view: ViewMaker | None
    tokenizers: Mapping[str, Tokenizer]
    masker: Masker | None
    mode: CollateMode
    seed: int
    progress: Callable[[int], float]


class Batches(Dataset[Batch]):
    """Item number `step` is the whole batch of that step, so that a worker makes a batch and nothing travels twice."""

    def __init__(self, reader: Reader, stream: GlobalStream, recipe: Recipe) -> None:
        self.reader, self.stream, self.recipe = reader, stream, recipe

    def __getitem__(self, step: int) -> Batch:
        recipe = self.recipe
        parts = []
        for epoch, index in self.stream.batch(step):
            sample = read(self.reader, index)
            parts.append(
                prepare(
                    sample,
                    view=recipe.view,
                    tokenizers=recipe.tokenizers,
                    masker=recipe.masker,
                    view_rng=sample_rng(recipe.seed, epoch, sample.id, "view"),
                    mask_rng=sample_rng(recipe.seed, epoch, sample.id, "mask"),
                    shared_rng=step_rng(recipe.seed, step, "mask"),
                    progress=recipe.progress(step),
                )
            )
        return collate(parts, recipe.mode, step_rng(recipe.seed, step, "collate"))


def read(reader: Reader, index: int) -> Sample:
    """One sample; an error of the reader says which one it was."""
    try:
        return reader.read(index)
    except DataError as error:
        raise DataError(f"sample number {index}: {error}") from error


def batches(
    reader: Reader,
    *,
    stream: GlobalStream,
    start_step: int,
    view: ViewMaker | None,
    tokenizers: Mapping[str, Tokenizer],
    masker: Masker,
    collate_mode: CollateMode,
    seed: int,
    workers: int = 0,
    progress: Callable[[int], float] = lambda step: 0.0,
    total_steps: int | None = None,
) -> Iterator[Batch]:
    """The batches of steps `start_step`, start_step + 1, … up to `total_steps` (without end when None).

    Each is a function of (seed, step) and the data alone: the same for any number of workers and any start.
    """
    data = Batches(reader, stream, Recipe(view, tokenizers, masker, collate_mode, seed, progress))
    steps = count(start_step) if total_steps is None else iter(range(start_step, total_steps))
    if workers == 0:
        return (data[step] for step in steps)
    return iter(DataLoader(data, batch_size=None, sampler=Steps(steps), num_workers=workers, prefetch_factor=2))


class Steps:
    """A sampler over step numbers that may never end."""

    def __init__(self, steps: Iterator[int]) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[int]:
        return self._steps


def eval_batches(
    reader: Reader, batch_size: int, tokenizers: Mapping[str, Tokenizer], *, view: ViewMaker | None = None, seed: int = 0
) -> Iterator[Batch]:
    """Every sample once, in order, without masks; the last batch may be smaller."""
    for start in range(0, len(reader), batch_size):
        samples: Sequence[Sample] = [read(reader, index) for index in range(start, min(start + batch_size, len(reader)))]
        unused = keyed_rng(seed, "unused")
        parts = [
            prepare(
                sample,
                view=view,
                tokenizers=tokenizers,
                masker=None,
                view_rng=sample_rng(seed, 0, sample.id, "view"),
                mask_rng=unused,
                shared_rng=unused,
                progress=1.0,
            )
            for sample in samples
        ]
        yield collate(parts, "pad", unused)
