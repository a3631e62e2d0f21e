"""Leaving one sweep out."""

from __future__ import annotations

import numpy as np
import pytest
from jepakit_lidar.points import Points, chosen, precision

from jepakit.sdk import DataError


def points(objects: tuple[int, ...] = (20, 20, 20)) -> Points:
    rng = np.random.Generator(np.random.Philox(key=0))
    label = np.concatenate([np.arange(100) < count for count in objects]).astype(np.int64)
    sweep = np.repeat([f"s{number}" for number in range(len(objects))], 100)
    told = label[:, None] * 4 + rng.normal(size=(len(label), 1))
    return Points({"told": told.astype(np.float32), "noise": rng.normal(size=(len(label), 1)).astype(np.float32)}, label, sweep)


def test_what_tells_objects_scores_and_noise_does_not() -> None:
    found = precision(points(), ("told",), "linear", 50, 0)
    assert set(found) == {"s0", "s1", "s2"}
    assert min(found.values()) > 0.9
    assert max(precision(points(), ("noise",), "linear", 50, 0).values()) < 0.5


def test_the_sweep_that_is_judged_is_not_fitted_on() -> None:
    some = points()
    rows = chosen(some, "s1", 30, 0)
    assert set(some.sweep[rows]) == {"s0", "s2"}
    assert len(rows) == 60


def test_sweeps_without_objects_are_left_out_of_the_table() -> None:
    assert set(precision(points((20, 0, 20)), ("told",), "forest", 50, 0)) == {"s0", "s2"}
    with pytest.raises(DataError, match="no sweep holds an object"):
        precision(points((20, 0)), ("told",), "linear", 50, 0)
