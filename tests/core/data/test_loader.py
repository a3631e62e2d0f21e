"""A batch is a function of (seed, step): the same for any number of workers and from any start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch

from jepakit.contracts import Batch, Layout, MaskRequest, Reader, Sample, Tokenizer, Tokens, ViewMaker
from jepakit.data.collate import prepare
from jepakit.data.loader import CachedReader, batches, eval_batches
from jepakit.data.stream import GlobalStream, sample_rng, step_rng
from jepakit.errors import ContractError, DataError
from jepakit.maskers.random import RandomMasker, RandomSettings

ON_ONE_CORE = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
"""There torch warns of two workers; the batches are the same."""


class Numbers(Reader):
    """Ten samples of eight equal numbers; number 7 can be made to fail."""

    def __init__(self, broken: bool = False) -> None:
        self.broken, self.reads = broken, 0

    def __len__(self) -> int:
        return 10

    def read(self, index: int) -> Sample:
        self.reads += 1
        if self.broken and index == 7:
            raise DataError("file x: field y is damaged")
        return Sample({"main": np.full((8, 1), index, dtype=np.float32)}, id=f"n{index}", label=index)

    def spec(self) -> Mapping[str, Any]:
        return {"kind": "numbers"}

    def fingerprint(self) -> str:
        return "numbers"


class Noise(ViewMaker):
    def __call__(self, sample: Sample, rng: np.random.Generator, progress: float) -> Sample:
        moved = sample.streams["main"] + rng.normal(size=(8, 1)).astype(np.float32) + progress
        return Sample({"main": moved}, sample.id, sample.label)


class Rows(Tokenizer):
    width, axes = 1, ("t",)

    def layout(self, sample: Sample, stream: str) -> Layout:
        return Layout(np.arange(8, dtype=np.float32)[:, None], np.ones(8, bool), np.zeros(8, np.int16), axes=("t",))

    def forward(self, raw: Any) -> Tokens:
        raise AssertionError("workers must not embed")


def feed(workers: int = 0, start: int = 0, reader: Reader | None = None) -> Iterator[Batch]:
    return batches(
        reader or Numbers(),
        stream=GlobalStream(10, 4, 3),
        start_step=start,
        view=Noise(),
        tokenizers={"main": Rows()},
        masker=RandomMasker(RandomSettings()),
        collate_mode="truncate_random",
        seed=3,
        workers=workers,
        progress=lambda step: step / 100,
        total_steps=6,
    )


class Short(Rows):
    """Nothing of it can be masked."""

    def layout(self, sample: Sample, stream: str) -> Layout:
        return Layout(np.zeros((1, 1), np.float32), np.ones(1, bool), np.zeros(1, np.int16), axes=("t",))


def test_a_sample_that_can_not_be_masked_is_named() -> None:
    rng = sample_rng(0, 0, "a", "mask")
    with pytest.raises(ContractError, match=r"sample n3: .* 1 valid tokens"):
        prepare(
            Numbers().read(3),
            view=None,
            tokenizers={"main": Short()},
            masker=RandomMasker(RandomSettings()),
            view_rng=rng,
            mask_rng=rng,
            shared_rng=rng,
            progress=0.0,
        )


def same(ours: Batch, theirs: Batch) -> bool:
    assert ours.plan is not None
    assert theirs.plan is not None
    pairs = [(ours.streams["main"].values, theirs.streams["main"].values)]
    sets = zip(ours.plan.contexts + ours.plan.queries, theirs.plan.contexts + theirs.plan.queries, strict=True)
    pairs += [(a.positions.idx, b.positions.idx) for a, b in sets]
    return (ours.ids, ours.plan.info) == (theirs.ids, theirs.plan.info) and all(torch.equal(a, b) for a, b in pairs)


@ON_ONE_CORE
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(workers: int) -> None:
    assert all(same(a, b) for a, b in zip(feed(), feed(workers), strict=True))


@pytest.mark.parametrize("start", range(1, 6))
def test_a_feed_can_start_anywhere(start: int) -> None:
    assert all(same(a, b) for a, b in zip(islice(feed(), start, None), feed(start=start), strict=True))


def test_a_sample_is_seen_differently_in_the_next_epoch() -> None:
    seen: dict[str, list[float]] = {}
    for batch in feed():
        for name, values in zip(batch.ids, batch.streams["main"].values):
            seen.setdefault(name, []).append(float(values[0]))
    assert all(len(set(values)) == len(values) for values in seen.values())
    assert any(len(values) > 1 for values in seen.values())


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_sample_is_one_sentence(workers: int) -> None:
    with pytest.raises(DataError) as caught:
        list(feed(workers, reader=Numbers(broken=True)))
    assert str(caught.value) == "sample number 7: file x: field y is damaged"


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_leave_the_global_generator_alone(workers: int) -> None:
    before = torch.get_rng_state()
    list(feed(workers))
    assert torch.equal(torch.get_rng_state(), before)


@ON_ONE_CORE
@pytest.mark.parametrize("workers", [0, 2])
def test_eval_batches_hold_every_sample_once_in_order(workers: int) -> None:
    found = list(eval_batches(Numbers(), 4, {"main": Rows()}, workers=workers))
    assert [len(batch) for batch in found] == [4, 4, 2]
    assert [name for batch in found for name in batch.ids] == [f"n{index}" for index in range(10)]
    assert all(batch.plan is None for batch in found)


def test_the_cache_keeps_to_its_budget() -> None:
    inner = Numbers()
    cached = CachedReader(inner, max_bytes=2 * 32)
    for _ in range(3):
        for index in range(4):
            assert cached.read(index).id == f"n{index}"
    assert inner.reads == 2 + 3 * 2


def test_masks_are_keyed_by_sample_not_by_place() -> None:
    """The mask of a sample in an epoch does not depend on which batch it falls into."""
    masker, layout = RandomMasker(RandomSettings()), Rows().layout(Numbers().read(0), "main")
    plans = [masker({"main": layout}, MaskRequest(sample_rng(0, 0, "a", "mask"), step_rng(0, 1, "mask"))) for _ in range(2)]
    assert np.array_equal(plans[0].contexts[0].positions.idx, plans[1].contexts[0].positions.idx)
