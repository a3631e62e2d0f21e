"""Images of several classes, or with a class for every pixel: collages of real photographs, through files of every kind and the probes."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from jepakit.build import build, build_modality, fit_tokenizers
from jepakit.cli.main import main
from jepakit.config import load_config
from jepakit.evaluate.rows import evaluate
from jepakit.evaluate.run import check_classes, features_of, sets_of_classes
from jepakit.plugin_host.loader import discover
from jepakit.sdk import DataError
from jepakit_modalities.image.modality import ImageModality

KINDS = 4
"""Photographs that the collages are made of."""


@cache
def windows(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Windows (M, 32, 32) of real photographs and which photograph each is of, those of the first few only."""
    reader = ImageModality().open("bundled:photos", split)
    labels = np.array(reader.listing.labels)  # type: ignore[attr-defined]
    rows = np.flatnonzero(labels < KINDS)
    return np.stack([reader.read(int(row)).streams["main"][0] for row in rows]), labels[rows]


def collages(count: int, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures (n, 64, 64) of four windows each, which photographs are in them (n, 4), of which each pixel is (n, 64, 64)."""
    pixels, labels = windows(split)
    rng = np.random.default_rng(len(split))
    x, mask = np.zeros((2, count, 64, 64), dtype=np.uint8)
    for row in range(count):
        among = rng.choice(KINDS, size=2, replace=False)
        for top, left in ((0, 0), (0, 32), (32, 0), (32, 32)):
            window = rng.choice(np.flatnonzero(np.isin(labels, among)))
            x[row, top : top + 32, left : left + 32] = pixels[window]
            mask[row, top : top + 32, left : left + 32] = labels[window]
    several = np.stack([(mask == kind).any((1, 2)) for kind in range(KINDS)], axis=1).astype(np.uint8)
    return x, several, mask


def saved(path: Path, count: int, split: str, which: str) -> Path:
    x, several, mask = collages(count, split)
    np.savez(path, x=x, y={"several": several, "mask": mask}[which])
    return path


def judged(tmp_path: Path, which: str) -> dict[tuple[str, str], float]:
    """Metrics of the linear probe on an untrained encoder, by (row, metric)."""
    host = discover()
    config = load_config(
        "image-quick", ["evaluate.budgets=[]", "evaluate.probes=[linear]", "evaluate.resamples=20", "evaluate.dense_tokens=24"], host
    )
    modality = build_modality(config, host)
    train, test = (modality.open(str(saved(tmp_path / f"{split}.npz", 120, split, which)), "train") for split in ("train", "test"))
    parts = build(config, host, train.spec(), modality)
    fit_tokenizers(parts, train)
    source = features_of(config, parts, train, test)
    found = evaluate(source, source, None, settings=config.evaluate, seed=0)
    return {(row.row, row.metric): row.value for row in found.rows}


def test_which_photographs_are_in_a_collage_is_found_by_the_probe_of_several_classes(tmp_path: Path) -> None:
    found = judged(tmp_path, "several")
    assert {metric for _, metric in found} == {"macro_f1", "auroc"}
    assert found["encoder", "auroc"] > 0.7, "chance is .5"


def test_of_which_photograph_each_patch_is_is_found_by_the_dense_probe(tmp_path: Path) -> None:
    found = judged(tmp_path, "mask")
    assert {metric for _, metric in found} == {"macro_f1", "accuracy", "auprc"}
    assert found["encoder", "accuracy"] > 0.4, "chance is about .25"


def png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def listed(tmp_path: Path, x: np.ndarray, header: str, cells: list[str]) -> Path:
    for row, picture in enumerate(x):
        (tmp_path / f"{row}.png").write_bytes(png(picture))
    path = tmp_path / "list.csv"
    path.write_text("\n".join([f"path,{header}", *(f"{row}.png,{cell}" for row, cell in enumerate(cells))]), encoding="utf-8")
    return path


def test_every_kind_of_file_says_the_same(tmp_path: Path) -> None:
    x, several, _ = collages(6, "train")
    names = ["brick", "cell", "grass", "moon"]
    classes = [np.flatnonzero(row).tolist() for row in several]
    np.savez(tmp_path / "a.npz", x=x, y=several, class_names=names)
    pq.write_table(
        pa.table({"image": [png(one) for one in x], "labels": [[names[one] for one in row] for row in classes]}), tmp_path / "b.parquet"
    )
    pq.write_table(pa.table({"image": [png(one) for one in x], "labels": classes}), tmp_path / "c.parquet")
    joined = listed(tmp_path, x, "label", ["|".join(names[one] for one in row) for row in classes])
    (tmp_path / "flags").mkdir()
    flags = listed(tmp_path / "flags", x, ",".join(f"label:{name}" for name in names), [",".join(map(str, row)) for row in several])
    for path in (tmp_path / "a.npz", tmp_path / "b.parquet", tmp_path / "c.parquet", joined, flags):
        reader = ImageModality().open(str(path), "train")
        assert reader.spec()["label_kind"] == "multilabel"
        assert reader.spec()["class_names"] == (["0", "1", "2", "3"] if path.name == "c.parquet" else names)
        np.testing.assert_array_equal(np.stack([reader.read(row).label for row in range(6)]), several)


def test_an_image_of_no_class_and_classes_of_other_splits_have_their_place(tmp_path: Path) -> None:
    path = listed(tmp_path, collages(3, "train")[0], "label,split", ["a|b,train", ",train", "c,test"])
    train, test = (ImageModality().open(str(path), split) for split in ("train", "test"))
    assert [train.read(row).label.tolist() for row in range(2)] == [[1, 1, 0], [0, 0, 0]]
    assert test.read(0).label.tolist() == [0, 0, 1]


def test_unknown_pixels_and_numbers(tmp_path: Path) -> None:
    x, _, mask = collages(2, "train")
    mask[:, 0, 0] = 255
    np.savez(tmp_path / "bytes.npz", x=x, y=mask)
    np.savez(tmp_path / "cells.npz", x=x, y=np.full((2, 16, 16), -1))
    np.savez(tmp_path / "numbers.npz", x=x, y=np.array([[0.5, 1.0], [2.0, 3.0]], dtype=np.float32))
    kinds = {name: ImageModality().open(str(tmp_path / f"{name}.npz"), "train") for name in ("bytes", "cells", "numbers")}
    assert [reader.spec()["label_kind"] for reader in kinds.values()] == ["dense", "dense", "regression"]
    assert kinds["bytes"].read(0).label[0, 0] == -1
    assert kinds["bytes"].read(0).label[1, 1] == mask[0, 1, 1]
    assert kinds["numbers"].read(1).label.tolist() == [2.0, 3.0]


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.array([[0, 2], [1, 0]]), r"y is int64 of shape \(2, 2\); expected \[N\] classes or numbers"),
        (np.zeros((2, 60, 64), np.uint8), r"cells that divide 64 x 64"),
        (np.zeros((3, 4), np.uint8), r"y has 3 entries for 2 images"),
    ],
)
def test_an_array_that_is_no_label_is_one_sentence(tmp_path: Path, y: np.ndarray, said: str) -> None:
    np.savez(tmp_path / "y.npz", x=collages(2, "train")[0], y=y)
    with pytest.raises(DataError, match=said):
        ImageModality().open(str(tmp_path / "y.npz"), "train")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([[-1], [2]], r"column 'labels': class number -1; expected 0 to"),
        ([[1 << 40], [2]], r"class number 1099511627776; expected 0"),
        ([[0.5], [2.0]], r"holds list<element: double>; expected a class"),
        ([[None], [2]], r"expected a class \(number or name\) a row"),
        (pa.array([[], []], pa.list_(pa.int64())), r"0 classes in all; expected 1 to"),
    ],
)
def test_a_list_that_is_no_label_is_one_sentence(tmp_path: Path, labels: object, said: str) -> None:
    pq.write_table(pa.table({"image": [png(one) for one in collages(2, "train")[0]], "labels": labels}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=said):
        ImageModality().open(str(tmp_path / "a.parquet"), "train")


def test_a_cell_that_is_no_flag_is_one_sentence(tmp_path: Path) -> None:
    path = listed(tmp_path, collages(2, "train")[0], "label:a,label:b", ["0,1", "1,x"])
    with pytest.raises(DataError, match=r"column 'label:b', line 3: expected 0 or 1"):
        ImageModality().open(str(path), "train")


def test_other_classes_in_the_test_data_are_refused(tmp_path: Path) -> None:
    x, several, _ = collages(2, "train")
    np.savez(tmp_path / "a.npz", x=x, y=several)
    np.savez(tmp_path / "b.npz", x=x, y=several[:, :3])
    with pytest.raises(DataError, match="the training data know 4 classes, the test data 3"):
        check_classes(*(ImageModality().open(str(tmp_path / name), "train") for name in ("a.npz", "b.npz")))


def test_sets_of_classes_have_a_name_in_the_map() -> None:
    found, names = sets_of_classes(np.array([[0, 1], [1, 1], [0, 0], [0, 1]]), ["brick"])
    assert [names[one] for one in found] == ["1", "brick + 1", "none", "1"]


@pytest.mark.slow
@pytest.mark.parametrize("which", ["several", "mask"])
def test_training_and_evaluation_take_such_files(tmp_path: Path, which: str) -> None:
    train, test = (saved(tmp_path / f"{split}.npz", 60, split, which) for split in ("train", "test"))
    short = [
        "--steps",
        "2",
        "--set",
        "data.batch=8",
        "--set",
        "evaluate.budgets=[]",
        "--set",
        "evaluate.probes=[linear,knn]",
        "--set",
        "evaluate.dense_tokens=8",
    ]
    assert main(["train", "image-quick", "--data", str(train), *short, "--out", str(tmp_path / "run")]) == 0
    (tmp_path / "run" / "report" / "embedding.npz").write_bytes(b"of an evaluation before")
    assert main(["eval", str(tmp_path / "run"), "--data", str(train), "--test", str(test)]) == 0
    rows = {row["row"] for row in json.loads((tmp_path / "run" / "evaluation.json").read_text())["rows"]}
    assert rows == ({"encoder", "untrained"} | ({"raw", "classical"} if which == "several" else set()))
    assert (tmp_path / "run" / "report" / "embedding.npz").exists() == (which == "several")
    assert main(["inspect", str(train)]) == 0
    assert main(["report", str(tmp_path / "run")]) == 0
