"""Each check fails on a masker, view, reader or modality that breaks its promise, and on nothing else of it: the kit can say no."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jepakit.contracts import Context, IndexSet, Layout, MaskPlan, Query, Sample
from jepakit.contracts.roles import Masker, MaskRequest, Modality, Reader, ViewMaker
from jepakit.memory import MemoryReader
from jepakit.testing import (
    Check,
    check_masker,
    check_modality,
    check_reader,
    check_view,
    run_checks,
)

Failing = Callable[[Iterable[Check]], set[str]]


class Half(Masker):
    """A good masker, and the ways to break it."""

    def __init__(self, sin: str = "") -> None:
        self.sin = sin
        self.extra: Any = (lambda: 0) if sin == "spawns" else None

    def __call__(self, layouts: Mapping[str, Layout], request: MaskRequest) -> MaskPlan:
        layout, sin = layouts["main"], self.sin
        rng = np.random if sin == "seeded" else np.random.Generator(np.random.Philox(key=[0, 0])) if sin == "random" else request.rng
        valid = np.arange(len(layout)) if sin == "well_formed" else np.flatnonzero(layout.valid)
        if len(valid) < 2 and sin != "tiny":
            from jepakit.errors import ContractError

            raise ContractError("too few tokens")
        mixed = rng.permutation(valid[1:] if sin == "covers" and len(valid) > 3 else valid)
        cut = len(mixed) // 2
        seen, asked = np.sort(mixed[:cut]), np.sort(mixed[cut - 1 if sin == "disjoint" else cut :])
        if sin == "pure":
            layout.coords[:] += 1.0
        kind = int(rng.integers(100)) if sin == "collates" else 0
        info = {"context_ratio": 0.9 if sin == "honest_info" else len(seen) / int(layout.valid.sum())}
        return MaskPlan((Context(IndexSet(seen.astype(np.int64))),), (Query(IndexSet(asked.astype(np.int64)), kind=kind),), info=info)


def fresh_layouts() -> list[dict[str, Layout]]:
    rng = np.random.Generator(np.random.Philox(key=[1, 1]))
    return [{"main": Layout(rng.random((20, 2)).astype(np.float32), np.arange(20) % 5 > 0, np.zeros(20, np.int16), ("y", "x"))}]


MASKER_SINS = ["well_formed", "disjoint", "seeded", "random", "pure", "covers", "collates", "honest_info", "tiny", "spawns"]


@pytest.mark.parametrize("sin", MASKER_SINS)
def test_masker(sin: str, failing: Failing) -> None:
    assert sin in failing(check_masker(Half(sin), fresh_layouts()))


def test_good_masker_passes(failing: Failing) -> None:
    assert failing(check_masker(Half(), fresh_layouts())) == set()


class Noise(ViewMaker):
    """A good view, and the ways to break it."""

    def __init__(self, sin: str = "") -> None:
        self.sin, self.extra = sin, (lambda: 0) if sin == "spawns" else None

    def __call__(self, sample: Sample, rng: np.random.Generator, progress: float) -> Sample:
        array = sample.streams["main"]
        drawn = np.random.normal(size=array.shape) if self.sin == "seeded" else rng.normal(size=array.shape)
        if self.sin == "pure":
            array += 1.0
        made = (array + drawn).astype(np.float64 if self.sin == "keeps" else array.dtype)
        return replace(sample, streams={"main": made})


@pytest.mark.parametrize("sin", ["seeded", "pure", "keeps", "spawns"])
def test_view(sin: str, failing: Failing, samples: list[Sample]) -> None:
    assert sin in failing(check_view(Noise(sin), samples))


def test_good_view_passes(failing: Failing, samples: list[Sample]) -> None:
    assert failing(check_view(Noise(), samples)) == set()


class Odd(Reader):
    """A good reader, and the ways to break it."""

    def __init__(self, sin: str = "") -> None:
        self.sin, self.reads, self.extra = sin, 0, (lambda: 0) if sin == "spawns" else None

    def __len__(self) -> int:
        return 10

    def read(self, index: int) -> Sample:
        self.reads += 1
        value = np.full((3, 2), index + (self.reads if self.sin == "deterministic" else 0), np.float32)
        label = None if self.sin == "labels" and index == 3 else index % 2
        streams = {"main": value.astype(str) if self.sin == "samples" else value}
        return Sample(streams, id="same" if self.sin == "ids" else str(index), label=label)

    def spec(self) -> Mapping[str, Any]:
        return {"kind": "odd", "what": {1, 2}} if self.sin == "spec" else {"kind": "odd"}

    def fingerprint(self) -> str:
        return str(self.reads) if self.sin == "fingerprint" else "odd"


@pytest.mark.parametrize("sin", ["samples", "deterministic", "ids", "spec", "fingerprint", "labels", "spawns"])
def test_reader(sin: str, failing: Failing) -> None:
    assert sin in failing(check_reader(Odd(sin)))


def test_good_reader_passes(failing: Failing) -> None:
    assert failing(check_reader(Odd())) == set()


class Coin(Modality):
    """A good modality, and the ways to break it."""

    name = "coin"

    def __init__(self, sin: str = "") -> None:
        self.sin = sin

    def open(self, source: str, split: str) -> Reader:
        if self.sin == "missing_path":
            return self.synthetic(4, 0)
        from jepakit.errors import DataError

        raise DataError(f"{source}: no such file")

    def synthetic(self, count: int, seed: int, split: str = "train") -> Reader:
        key = [0 if self.sin == "synthetic" else seed, split == "test"]
        rng = np.random.Generator(np.random.Philox(key=key))
        labels = np.arange(count) // 2 % 2
        labels = np.sort(labels) if self.sin == "synthetic_not_by_place" else labels * (self.sin != "synthetic_labels")
        return MemoryReader(rng.normal(size=(count, 5)).astype(np.float32), labels.tolist(), kind="coin")

    def raw_features(self, sample: Sample) -> np.ndarray:
        found: np.ndarray = sample.streams["main"]
        return found[:, None] if self.sin == "raw_features" else found

    def picture(self, sample: Sample) -> np.ndarray | None:
        return np.zeros((4, 4)) if self.sin == "pictures" else None


MODALITY_SINS = ["synthetic", "synthetic_labels", "synthetic_not_by_place", "raw_features", "pictures", "missing_path"]


@pytest.mark.parametrize("sin", MODALITY_SINS)
def test_modality(sin: str, failing: Failing) -> None:
    assert sin in failing(check_modality(Coin(sin)))


def test_good_modality_passes(failing: Failing) -> None:
    assert failing(check_modality(Coin())) == set()


def bad() -> None:
    raise AssertionError("broken")


def quietly_online() -> None:
    with contextlib.suppress(OSError):
        socket.create_connection(("weights.example.org", 443))


def test_check_that_reaches_for_the_network_fails_even_if_it_hides_it() -> None:
    (outcome,) = run_checks([Check("a.b", quietly_online)])
    assert (outcome.state, outcome.sentence) == ("failed", "it asks the network for weights.example.org")


def test_names_of_checks_are_unique() -> None:
    names = [check.name for check in (*check_masker(Half(), fresh_layouts()), *check_reader(Odd()))]
    assert len(names) == len(set(names))
