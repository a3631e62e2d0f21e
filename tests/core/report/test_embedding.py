"""The arithmetic of the embedding map and of nearest neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from jepakit.report.embedding import TSNE_LIMIT, flatten, nearest


def test_flatten_keeps_groups_apart_and_is_repeatable() -> None:
    rng = np.random.default_rng(np.random.Philox(key=2))
    z = rng.normal(size=(40, 8)) + np.repeat([[0.0], [20.0]], 20, axis=0)
    points, method = flatten(z) or (np.empty(0), "")
    assert method == "t-SNE"
    within = np.linalg.norm(points[:20] - points[:20].mean(0), axis=1).max()
    assert np.linalg.norm(points[:20].mean(0) - points[20:].mean(0)) > 2 * within
    np.testing.assert_array_equal(points, (flatten(z) or (None, ""))[0])


def test_flatten_many_points_by_their_two_leading_components() -> None:
    z = np.zeros((TSNE_LIMIT + 1, 3), np.float32)
    z[:, 2] = np.arange(len(z))
    points, method = flatten(z) or (np.empty(0), "")
    assert method == "PCA"
    np.testing.assert_allclose(np.abs(points[:, 0]), np.abs(z[:, 2] - z[:, 2].mean()), rtol=1e-5)


@pytest.mark.parametrize(
    "z", [np.ones((30, 4)), np.zeros((30, 4)), np.eye(2), np.arange(30.0)[:, None]], ids=["ones", "zeros", "two", "one axis"]
)
def test_flatten_has_nothing_to_spread_out(z: np.ndarray) -> None:
    assert flatten(z) is None


def test_neighbours_are_nearest_by_direction_without_the_query() -> None:
    angles = np.array([0.0, 0.1, 0.3, 3.0])
    z = np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.array([[1.0], [50.0], [0.1], [1.0]])
    assert nearest(z, [0, 3], 2).tolist() == [[1, 2], [2, 1]]
    assert nearest(z, [0], 9).shape == (1, 3)


def test_neighbours_of_a_zero_embedding_are_finite() -> None:
    assert nearest(np.zeros((3, 2)), [1], 2).tolist() == [[0, 2]]
