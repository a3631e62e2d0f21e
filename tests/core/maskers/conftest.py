"""Layouts and requests that the masker tests share."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from jepakit.contracts import Layout, MaskPlan, MaskRequest

AXES = ("t", "y", "x")


@pytest.fixture(scope="session")
def grid_layout() -> Callable[..., Layout]:
    """A dense grid in raster order; `missing` is the share of invalid tokens; the channel is the place on the first axis."""

    def build(grid: Sequence[int], *, missing: float = 0.0, seed: int = 0) -> Layout:
        coords = np.stack(np.meshgrid(*map(np.arange, grid), indexing="ij"), axis=-1).reshape(-1, len(grid))
        valid = np.random.default_rng(seed).random(len(coords)) >= missing
        return Layout(coords.astype(np.float32), valid, coords[:, 0].astype(np.int16), AXES[-len(grid) :], grid=tuple(grid))

    return build


@pytest.fixture(scope="session")
def scattered_layout() -> Callable[..., Layout]:
    """Tokens anywhere, three channels, no grid."""

    def build(tokens: int, axes: int = 2, *, missing: float = 0.0, seed: int = 0) -> Layout:
        rng = np.random.default_rng(seed)
        coords = rng.normal(size=(tokens, axes)) * [100.0, 1.0, 0.01][:axes]
        valid = rng.random(tokens) >= missing
        return Layout(coords.astype(np.float32), valid, (np.arange(tokens) % 3).astype(np.int16), AXES[-axes:])

    return build


@pytest.fixture(scope="session")
def request_of() -> Callable[..., MaskRequest]:
    """The request for one sample of one step."""

    def build(sample: int = 0, step: int = 0) -> MaskRequest:
        return MaskRequest(
            rng=np.random.Generator(np.random.Philox(key=sample)), shared=np.random.Generator(np.random.Philox(key=2**32 + step))
        )

    return build


@pytest.fixture(scope="session")
def coverage(request_of) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """How often each token is in the first context, and in any query, over `draws` samples of as many steps."""

    def count(masker, layout: Layout, draws: int) -> tuple[np.ndarray, np.ndarray]:
        seen, asked = np.zeros(len(layout), dtype=int), np.zeros(len(layout), dtype=int)
        for draw in range(draws):
            plan: MaskPlan = masker({"main": layout}, request_of(draw, draw))
            seen[plan.contexts[0].positions.idx] += 1
            for query in plan.queries:
                asked[query.positions.idx] += 1
        return seen, asked

    return count
