"""Neighbourhood measures on sets whose dimension and clusters are known."""

from __future__ import annotations

import numpy as np
import pytest

from jepakit.errors import ContractError
from jepakit.evaluate.clid import cluster_learnability, intrinsic_dimension
from jepakit.evaluate.labelfree import MEASURES, OF_VIEWS, measured, measured_of_views

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_a_cube_in_a_wide_space_has_its_own_dimension(dimension: int) -> None:
    cube = RNG.random((900, dimension)) @ np.linalg.qr(RNG.normal(size=(20, dimension)))[0].T
    assert intrinsic_dimension(cube) == pytest.approx(dimension, rel=0.12)
    assert intrinsic_dimension(np.concatenate((cube, cube))) == pytest.approx(intrinsic_dimension(cube))


def test_far_clusters_are_learned_at_once_and_noise_is_not() -> None:
    centres = 100 * np.eye(20)
    far = centres[RNG.integers(20, size=800)] + RNG.normal(size=(800, 20))
    assert cluster_learnability(far, clusters=20) > 0.95
    assert cluster_learnability(RNG.normal(size=(800, 20)), clusters=20) < 0.6


def test_what_is_no_set_of_embeddings_is_refused() -> None:
    with pytest.raises(ContractError, match="at least 10"):
        intrinsic_dimension(np.ones((50, 3)))
    with pytest.raises(ContractError, match="at least 10"):
        cluster_learnability(np.ones((5, 3)))
    with pytest.raises(ContractError, match=r"\(n, D\)"):
        cluster_learnability(np.ones(50))


def test_all_measures_are_taken_of_healthy_embeddings_and_the_possible_ones_of_collapsed() -> None:
    z = RNG.normal(size=(400, 64)).astype(np.float32)
    assert list(measured(z)) == list(MEASURES)
    constant = measured(np.full_like(z, 0.3))
    assert (constant["rank"], constant["std"], constant["cosine"]) == pytest.approx((0.0, 0.0, 1.0), abs=1e-6)
    assert not {"alpha", "dimension", "learnability"} & set(constant)
    assert set(measured_of_views(z.reshape(100, 4, 64))) == set(OF_VIEWS)
