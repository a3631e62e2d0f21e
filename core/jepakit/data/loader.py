"""Batches in a given order, prepared in this process or in workers, the same ones either way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from multiprocessing import get_all_start_methods
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from jepakit.contracts import Batch, Masker, Reader, Sample, Tokenizer, ViewMaker
from jepakit.data.collate import CollateMode, collate, prepare
from jepakit.data.stream import GlobalStream, sample_rng, step_rng
from jepakit.errors import DataError, JepakitError
from jepakit.plugin_host.blame import WorkerError, places, said


class CachedReader(Reader):
    """Keeps samples of another reader in memory, first come, first kept, up to `max_bytes` of array data (in each worker)."""

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


Places = Callable[[int], list[tuple[int, int]]]
"""Step → (epoch, index) of its samples."""


class Batches(Dataset[Batch]):
    """Item number `step` is the whole batch of that step, so that a worker makes a batch and nothing travels twice."""

    def __init__(self, reader: Reader, places: Places, recipe: Recipe) -> None:
        self.reader, self.places, self.recipe = reader, places, recipe

    def __getitem__(self, step: int) -> Batch:
        recipe = self.recipe
        parts = []
        for epoch, index in self.places(step):
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
    """This process's rows of the batches of steps `start_step`, start_step + 1, … up to `total_steps` (without end when None).

    Each is a function of (seed, step) and the data alone: the same for any number of workers and any start.
    """
    data = Batches(reader, stream.own, Recipe(view, tokenizers, masker, collate_mode, seed, progress))
    return made(data, count(start_step) if total_steps is None else range(start_step, total_steps), workers)


def eval_batches(
    reader: Reader,
    batch_size: int,
    tokenizers: Mapping[str, Tokenizer],
    *,
    view: ViewMaker | None = None,
    seed: int = 0,
    workers: int = 0,
) -> Iterator[Batch]:
    """Every sample once, in order, without masks; the last batch may be smaller."""

    def places(step: int) -> list[tuple[int, int]]:
        return [(0, index) for index in range(step * batch_size, min((step + 1) * batch_size, len(reader)))]

    data = Batches(reader, places, Recipe(view, tokenizers, None, "pad", seed, lambda step: 1.0))
    return made(data, range(-(-len(reader) // batch_size)), workers)


def made(data: Batches, steps: Iterable[int], workers: int) -> Iterator[Batch]:
    """The batches of these steps, in order, from this process or from `workers` others."""
    return (data[step] for step in steps) if workers == 0 else from_workers(data, steps, workers)


def from_workers(data: Batches, steps: Iterable[int], workers: int) -> Iterator[Batch]:
    """The same batches from other processes, which get readers and closures by forking: nothing is pickled on the way there.

    The generator is a private one: a loader draws a seed when it starts, and would take it from torch's global generator, so that the
    number of workers changed everything that is drawn after.
    """
    loader = DataLoader(
        Told(data),
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        prefetch_factor=2,
        generator=torch.Generator(),
        multiprocessing_context="fork" if "fork" in get_all_start_methods() else None,
    )
    for item in loader:
        if isinstance(item, JepakitError | WorkerError):
            raise item
        yield item


class Told(Dataset[Batch | JepakitError | WorkerError]):
    """The same items, with errors handed over as items: torch wraps what a worker raises in a page of traceback.

    An error of another kind becomes a WorkerError, which knows where it was raised although its traceback can't travel.
    """

    def __init__(self, inner: Batches) -> None:
        self.inner = inner

    def __getitem__(self, step: int) -> Batch | JepakitError | WorkerError:
        try:
            return self.inner[step]
        except JepakitError as error:
            return error
        except (Exception, SystemExit) as error:  # foreign code: the process that trains says whose it is
            return WorkerError(said(error), places(error))
