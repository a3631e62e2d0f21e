"""What a fixed target needs is computed once a sample, goes through the view with it, and comes back in the batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from jepakit.contracts import ASIDE, Layout, Raw, Reader, Sample, Tokenizer, Tokens
from jepakit.data.asides import with_asides
from jepakit.data.collate import collate, prepare
from jepakit.data.stream import keyed_rng
from jepakit.errors import ContractError
from jepakit.targets import RawFunctionTarget
from jepakit.targets_composed import CrossStreamTarget, MultiTarget


class Ramps(Reader):
    """Sample i is (4,) from i on."""

    def __len__(self) -> int:
        return 3

    def read(self, index: int) -> Sample:
        return Sample({"main": np.arange(index, index + 4, dtype=np.float32)}, id=str(index))

    def spec(self) -> Mapping[str, Any]:
        return {"kind": "ramps"}

    def fingerprint(self) -> str:
        return "ramps"


class OneToken(Tokenizer):
    """A value, a token."""

    axes = ("t",)
    width = 1

    def layout(self, sample: Sample, stream: str) -> Layout | None:
        assert not stream.startswith(ASIDE)
        place = np.arange(len(sample.streams[stream]), dtype=np.float32)[:, None]
        return Layout(place, np.ones(len(place), dtype=bool), np.zeros(len(place), dtype=np.int16), axes=("t",))

    def forward(self, raw: Raw) -> Tokens:
        assert raw.coords is not None
        assert raw.valid is not None
        assert raw.channel is not None
        return Tokens(raw.values[..., None], raw.coords, raw.valid, raw.channel)


def squares(calls: list[int]) -> RawFunctionTarget:
    def once(array: np.ndarray) -> np.ndarray:
        calls.append(int(array[0]))
        return np.square(array)

    return RawFunctionTarget(lambda raw: raw.values[..., None], width=1, once=once)


def last_two(sample: Sample, rng: np.random.Generator, progress: float) -> Sample:
    return replace(sample, streams={name: array[2:] for name, array in sample.streams.items()})


def test_computed_once_and_cut_with_the_sample() -> None:
    calls: list[int] = []
    target = squares(calls)
    reader = with_asides(Ramps(), target, cache_mib=1)
    made = []
    for index in (0, 1, 0, 1):
        rng = keyed_rng(index)
        made.append(
            prepare(
                reader.read(index),
                view=last_two,  # type: ignore[arg-type]
                tokenizers={"main": OneToken()},
                masker=None,
                view_rng=rng,
                mask_rng=rng,
                shared_rng=rng,
                progress=0.0,
            )
        )
    assert calls == [0, 1]
    batch = collate(made, "pad", keyed_rng(0))
    tokens = {"main": OneToken()(batch.streams["main"])}
    found = target(batch.streams, tokens, torch.nn.Identity(), ["main"])["main"]
    torch.testing.assert_close(found, batch.streams["main"].values[..., None] ** 2)


def test_nothing_is_wrapped_without_need() -> None:
    reader = Ramps()
    assert with_asides(reader, None, 1) is reader
    assert with_asides(reader, RawFunctionTarget(lambda raw: raw.values, width=1), 1) is reader


def test_batch_without_the_aside_is_an_error() -> None:
    with pytest.raises(ContractError, match="no stream 'aside/main'"):
        squares([])({"main": Raw(torch.zeros(1, 4))}, {}, torch.nn.Identity(), ["main"])


@pytest.mark.parametrize("compose", [lambda inner: CrossStreamTarget(inner, sources={"main": "main"}), lambda inner: MultiTarget([inner])])
def test_composed_targets_hand_asides_on(compose: Any) -> None:
    outer = compose(squares([]))
    assert outer.has_asides
    assert list(outer.asides(Ramps().read(1))) == [ASIDE + "main"]
