"""The baseline of images on digits: every task it knows, whole subjects in its folds, labels withheld."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from jepakit.contracts import Sample
from jepakit_modalities.image import classical

pytest.importorskip("skimage")
DIGITS = load_digits()
ORDER = np.random.default_rng(0).permutation(1797)[:160]
Y = DIGITS.target[ORDER]


def samples(groups: bool = False) -> list[Sample]:
    images = (DIGITS.images[ORDER] * 15.9).astype(np.uint8)
    return [Sample({"main": image[None]}, f"d{row}", group=f"g{row % 4}" if groups else None) for row, image in enumerate(images)]


@pytest.mark.parametrize("groups", [False, True])
def test_digits_are_told_apart_by_their_gradients(groups: bool) -> None:
    given = samples(groups)
    model = classical.HogModel("classification").fit(given[:120], Y[:120])
    assert (model.predict(given[120:]) == Y[120:]).mean() > 0.7
    np.testing.assert_array_equal(model.classes_[model.predict_proba(given[120:]).argmax(1)], model.predict(given[120:]))


def test_numbers_and_several_labels() -> None:
    given, height = samples(), (DIGITS.images[ORDER] * np.arange(8)[:, None]).sum((1, 2)) / DIGITS.data[ORDER].sum(1)
    found = classical.HogModel("regression").fit(given[:120], height[:120]).predict(given[120:])
    assert np.corrcoef(found, height[120:])[0, 1] > 0.3
    both = np.stack((Y > 4, Y % 2), axis=1).astype(np.int64)
    assert classical.HogModel("multilabel").fit(given[:120], both[:120]).predict(given[120:]).shape == (40, 2)


def test_what_was_seen_last_is_not_taken_for_other_samples() -> None:
    given = samples()
    model = classical.HogModel("classification").fit(given[:120], Y[:120])
    first, second = model.predict(given[120:140]), model.predict(given[140:])
    np.testing.assert_array_equal(np.concatenate((first, second)), model.predict(given[120:]))


def test_other_tasks_have_no_baseline() -> None:
    assert classical.baseline("dense") is None
    with pytest.raises(ValueError, match="fit the baseline first"):
        classical.HogModel("classification").predict(samples()[:1])
