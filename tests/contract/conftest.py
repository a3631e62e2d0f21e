"""What the tests of the kit share: which checks fail, and good samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from jepakit.contracts import Sample
from jepakit.testing import Check, run_checks


@pytest.fixture
def failing() -> Callable[[Iterable[Check]], set[str]]:
    """Checks → names of those that fail, without their role. None may fail because it could not be run."""
    return names_of_failed


def names_of_failed(checks: Iterable[Check]) -> set[str]:
    failed = [outcome for outcome in run_checks(checks) if outcome.state == "failed"]
    assert [
        outcome
        for outcome in failed
        if "AttributeError" in outcome.sentence and "pickle" not in outcome.sentence and "local" in outcome.name
    ] == []
    return {outcome.name.partition(".")[2] for outcome in failed}


@pytest.fixture
def samples() -> list[Sample]:
    rng = np.random.Generator(np.random.Philox(key=[2, 2]))
    return [Sample({"main": rng.normal(size=(16, 3)).astype(np.float32)}, id=str(index)) for index in range(6)]
