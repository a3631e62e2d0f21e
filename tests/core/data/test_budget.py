"""Limits are checked on what a file declares, at the very value and one beyond it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jepakit.data.budget import ReadBudget
from jepakit.errors import DataError

MIB = 1 << 20
SMALL = ReadBudget(max_file_bytes=10, max_pixels=12, max_decoded_bytes=400 * MIB, max_ratio=2.0, max_samples=5)

ALLOWED: list[Callable[[], None]] = [
    lambda: SMALL.check_pixels("a", 3, 4),
    lambda: SMALL.check_decoded("a", 400 * MIB, 200 * MIB),
    lambda: SMALL.check_decoded("a", 64 * MIB, 1),
    lambda: SMALL.check_ratio("a", 500 * MIB, 250 * MIB),
    lambda: SMALL.check_samples("a", 5),
]
REFUSED: list[tuple[Callable[[], None], str]] = [
    (lambda: SMALL.check_pixels("a", 13, 1), "a: 13 x 1 pixels"),
    (lambda: SMALL.check_decoded("a", 400 * MIB + 1, 400 * MIB), "a: unpacks to .* bytes, more than"),
    (lambda: SMALL.check_decoded("a", 100 * MIB, 40 * MIB), "a: .* decompression bomb"),
    (lambda: SMALL.check_ratio("a", 65 * MIB, 0), "a: .* decompression bomb"),
    (lambda: SMALL.check_samples("a", 6), "a: declares 6 samples"),
]


@pytest.mark.parametrize("check", ALLOWED)
def test_what_is_within_the_budget_passes(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize(("check", "said"), REFUSED)
def test_what_is_beyond_it_is_refused(check: Callable[[], None], said: str) -> None:
    with pytest.raises(DataError, match=said):
        check()


def test_files_are_measured_before_they_are_opened(tmp_path: Path) -> None:
    for size in (10, 11):
        (tmp_path / f"{size}").write_bytes(bytes(size))
    SMALL.check_file(tmp_path / "10")
    with pytest.raises(DataError, match="11 bytes, more than the 10 allowed"):
        SMALL.check_file(tmp_path / "11")
