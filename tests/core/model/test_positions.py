"""Positions from coordinates: closed forms, any number of axes, and shared tables made once."""

from __future__ import annotations

import math

import pytest
import torch

from jepakit.bench.published import plain_table
from jepakit.model.positions import rotary, sincos


def test_one_axis_is_the_textbook_table() -> None:
    table = sincos(torch.tensor([[[0.0], [3.0]]]), 4)[0]
    expected = [[0, 0, 1, 1], [math.sin(3), math.sin(0.03), math.cos(3), math.cos(0.03)]]
    torch.testing.assert_close(table, torch.tensor(expected))


def test_a_grid_is_the_published_table() -> None:
    place = torch.arange(3.0)
    coords = torch.stack(torch.meshgrid(place, place, indexing="ij"), dim=-1).reshape(1, 9, 2)
    torch.testing.assert_close(sincos(coords, 16)[0], plain_table(3, 3, 16))


@pytest.mark.parametrize("axes", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("width", [24, 32])
def test_any_number_of_axes_fills_the_width_with_what_is_left_zero(axes: int, width: int) -> None:
    table = sincos(torch.ones(2, 3, axes), width)
    assert table.shape == (2, 3, width)
    used = 2 * axes * (width // (2 * axes)) if axes else 0
    assert (table[..., used:] == 0).all()
    cos, sin = rotary(torch.ones(2, 3, axes), width)
    assert cos.shape == sin.shape == (2, 3, width // 2)
    torch.testing.assert_close(cos**2 + sin**2, torch.ones(2, 3, width // 2))


def test_shared_coordinates_are_computed_once() -> None:
    shared = torch.rand(1, 4, 2).expand(3, -1, -1)
    assert sincos(shared, 8).stride(0) == 0
    torch.testing.assert_close(sincos(shared, 8), sincos(shared.contiguous(), 8))
    torch.testing.assert_close(rotary(shared, 8)[0], rotary(shared.contiguous(), 8)[0])


def test_scale_multiplies_coordinates() -> None:
    coords = torch.rand(1, 4, 2)
    torch.testing.assert_close(sincos(coords, 8, scale=10.0), sincos(10 * coords, 8))
