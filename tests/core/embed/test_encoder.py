"""The Python face: the same numbers from samples, arrays, readers, scikit-learn and torch; errors in one sentence."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_no_attributes_set_in_init

import jepakit
from jepakit.embed.encoder import LoadedEncoder
from jepakit.errors import CheckpointError, DataError, JepakitError


@pytest.fixture(scope="module")
def encoder(digits_run: Path) -> LoadedEncoder:
    return jepakit.load(digits_run)


@pytest.fixture(scope="module")
def images(encoder: LoadedEncoder) -> tuple[np.ndarray, np.ndarray]:
    reader = encoder.open("bundled:digits", "test")
    samples = [reader.read(number) for number in range(120)]
    return np.stack([sample.streams["main"] for sample in samples]), np.array([sample.label for sample in samples])


def test_samples_arrays_and_readers_give_the_same(encoder: LoadedEncoder, images: tuple[np.ndarray, np.ndarray]) -> None:
    reader = encoder.open("bundled:digits", "test")
    z = encoder(reader)
    assert isinstance(z, np.ndarray)
    assert z.shape == (len(reader), 32)
    assert z.dtype == np.float32
    np.testing.assert_array_equal(encoder([reader.read(0), reader.read(1)]), encoder(images[0][:2]))
    np.testing.assert_allclose(encoder(images[0]), z[:120], atol=1e-5)
    np.testing.assert_allclose(encoder(reader.read(3)), z[3:4], atol=1e-5)


def test_the_weights_are_those_of_the_run_and_the_data_is_not_needed(digits_run: Path, tmp_path: Path, encoder: LoadedEncoder) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(digits_run, moved)
    text = (moved / "config.yaml").read_text().replace("source: bundled:digits", "source: /gone")
    (moved / "config.yaml").write_text(text)
    reader = encoder.open("bundled:digits", "test")
    np.testing.assert_array_equal(jepakit.load(moved)(reader), encoder(reader))
    (moved / "environment.json").write_text("{}")
    with pytest.raises(DataError, match="/gone"):
        jepakit.load(moved)


def test_a_batch_changes_nothing_but_rounding(digits_run: Path, encoder: LoadedEncoder, images: tuple[np.ndarray, np.ndarray]) -> None:
    np.testing.assert_allclose(jepakit.load(digits_run, batch=7)(images[0]), encoder(images[0]), atol=1e-5)


def test_tokens(digits_run: Path, encoder: LoadedEncoder, images: tuple[np.ndarray, np.ndarray]) -> None:
    tokens = jepakit.load(digits_run, level="token")(images[0])
    assert isinstance(tokens, list)
    assert [part.shape for part in tokens] == [(16, 32)] * 120
    np.testing.assert_allclose(np.stack(tokens).mean(1), encoder(images[0]), atol=1e-5)


def test_scikit_learn(encoder: LoadedEncoder, images: tuple[np.ndarray, np.ndarray]) -> None:
    check_no_attributes_set_in_init("LoadedEncoder", LoadedEncoder("somewhere"))
    copy = clone(encoder)
    assert copy.get_params() == encoder.get_params()
    pipeline = make_pipeline(copy, StandardScaler(), LogisticRegression(max_iter=500))
    assert cross_val_score(pipeline, *images, cv=2).mean() > 0.15  # ten steps of training: chance is .1
    pipeline.set_params(loadedencoder__pooling="mean+std")
    assert pipeline[:1].fit_transform(images[0]).shape == (120, 64)
    assert pickle.loads(pickle.dumps(encoder)).fit_transform(images[0][:3]).shape == (3, 32)
    assert len(pickle.dumps(encoder)) < 1_000


def test_torch_module_is_differentiable_and_equal(encoder: LoadedEncoder, images: tuple[np.ndarray, np.ndarray]) -> None:
    module = encoder.module
    z = module(torch.from_numpy(images[0]))
    np.testing.assert_allclose(z.detach().numpy(), encoder(images[0]), atol=1e-5)
    z.square().sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_evaluation_decides_the_pooling(digits_run: Path, tmp_path: Path) -> None:
    judged = tmp_path / "judged"
    shutil.copytree(digits_run, judged)
    (judged / "evaluation.json").write_text(json.dumps({"pooling": "mean+max"}))
    assert jepakit.load(judged).module.pooling == "mean+max"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"pooling": "median"}, "no pooling named 'median'"),
        ({"level": "patch"}, "neither 'sample' nor 'token'"),
        ({"precision": "fp8"}, "precision 'fp8'"),
        ({"device": "cuda:77"}, "device 'cuda:77' can't be used"),
        ({"batch": 0}, "at least 1"),
    ],
)
def test_wrong_arguments(digits_run: Path, options: dict[str, str], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        jepakit.load(digits_run, **options)  # type: ignore[arg-type]


def test_wrong_folders_checkpoints_and_samples(digits_run: Path, tmp_path: Path, encoder: LoadedEncoder) -> None:
    with pytest.raises(JepakitError, match=r"neither config\.yaml"):
        jepakit.load(tmp_path)
    with pytest.raises(JepakitError, match="not a folder"):
        jepakit.load(tmp_path / "none")
    with pytest.raises(CheckpointError, match="no checkpoint of step 7"):
        jepakit.load(digits_run, checkpoint="7")
    with pytest.raises(DataError, match="no sample to embed"):
        encoder([])
    with pytest.raises(DataError, match=r"encoder\.open"):
        encoder("images/")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="prefix"):
        jepakit.load(digits_run, pooling="prefix")(encoder.open("bundled:digits", "test"))
