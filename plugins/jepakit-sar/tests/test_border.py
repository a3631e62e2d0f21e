"""What the clutter gives away is found, and what lies inside is not looked at."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from jepakit_sar.border import border_accuracy, command, statistics
from jepakit_sar.sources import open_sar

from jepakit.sdk import DataError


def rng(key: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=key))


def chips(path: Path, *, clutter: bool, key: int) -> str:
    """60 chips of two classes: their clutter differs in strength, or their targets do."""
    labels = np.arange(60) % 2
    x = rng(key).gamma(4.0, 1.0, size=(60, 24, 24))
    x[:, slice(None) if clutter else slice(8, -8), slice(None) if clutter else slice(8, -8)] *= 1 + labels[:, None, None]
    np.savez(path, x=x.astype(np.float32), y=labels)
    return str(path)


@pytest.mark.parametrize(("clutter", "low", "high"), [(True, 0.9, 1.0), (False, 0.25, 0.75)])
def test_only_the_border_is_seen(tmp_path: Path, clutter: bool, low: float, high: float) -> None:
    sources = [chips(tmp_path / f"{key}.npz", clutter=clutter, key=key) for key in (1, 2)]
    accuracy, count, chance = border_accuracy(open_sar(sources[0], "train"), open_sar(sources[1], "test"), 8)
    assert low <= accuracy <= high
    assert (count, chance) == (60, 0.5)


def test_the_command_prints_what_was_found(tmp_path: Path) -> None:
    source = chips(tmp_path / "a.npz", clutter=True, key=1)
    said = CliRunner().invoke(command, ["--data", source, "--test", source, "--json"])
    assert said.exit_code == 0
    assert json.loads(said.output)["accuracy"] == 1.0
    assert "border of 8 pixels alone: accuracy 100.0%" in CliRunner().invoke(command, ["--data", source, "--test", source]).output


def test_pixels_without_data_are_left_out() -> None:
    image = np.full((1, 8, 8), np.nan, dtype=np.float32)
    assert (statistics(image, 2, "chip") == 0).all()
    image[0, 0] = 3.0
    np.testing.assert_array_equal(statistics(image, 2, "chip"), [3, 0, 3, 3, 3, 3])


def test_what_has_no_inside_or_no_class_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"chip: 8 x 8 pixels .* --width"):
        statistics(np.zeros((1, 8, 8), np.uint8), 4, "chip")
    np.savez(tmp_path / "a.npz", x=np.zeros((3, 24, 24), np.float32))
    with pytest.raises(DataError, match="no class"):
        border_accuracy(open_sar(str(tmp_path / "a.npz"), "train"), open_sar(str(tmp_path / "a.npz"), "test"), 8)
