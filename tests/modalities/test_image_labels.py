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
from jepakit.report.artifacts import read_masks
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


def masked(folder: Path, count: int, split: str) -> Path:
    """A csv list of collages, each cut to a size of its own, and their masks: a palette, grey, sixteen bits and .npy in turn."""
    x, _, mask = collages(count, split)
    rows = ["path,mask"]
    folder.mkdir()
    for row in range(count):
        wide = 64 - 4 * (row % 3)
        (folder / f"{row}.png").write_bytes(png(x[row][:, :wide]))
        kind, cut = row % 4, mask[row][:, :wide]
        if kind == 3:
            np.save(folder / f"{row}.npy", cut.astype(np.int16))
        else:
            picture = Image.fromarray(cut.astype(np.uint16) if kind == 2 else cut)
            if kind == 0:
                picture.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200, 90, 90, 90])
            picture.save(folder / f"{row}-mask.png")
        rows.append(f"{row}.png,{row}.npy" if kind == 3 else f"{row}.png,{row}-mask.png")
    (folder / "list.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder / "list.csv"


def test_masks_beside_images_of_any_size_say_what_is_stored(tmp_path: Path) -> None:
    reader = ImageModality().open(str(masked(tmp_path / "a", 8, "train")), "train")
    _, _, mask = collages(8, "train")
    assert reader.spec()["label_kind"] == "dense"
    for row in range(8):
        found = reader.read(row)
        np.testing.assert_array_equal(found.label, mask[row][:, : found.streams["main"].shape[2]])
    before = reader.fingerprint()
    np.save(tmp_path / "a" / "3.npy", np.zeros((64, 64), np.int16))
    assert ImageModality().open(str(tmp_path / "a" / "list.csv"), "train").fingerprint() != before


@pytest.mark.parametrize(
    ("header", "cell", "said"),
    [
        ("mask", "colour.png", r"a mask of mode RGB holds colours; expected a class number a pixel"),
        ("mask", "numbers.npy", r"a float32 array of 1 channels; a mask is a 2-D array of whole numbers"),
        ("mask", "gone.png", r"line 2: there is no image .*gone\.png"),
        ("mask,label", "0.png,a", r"there are labels and masks; keep one of the columns"),
    ],
)
def test_what_is_no_mask_is_one_sentence(tmp_path: Path, header: str, cell: str, said: str) -> None:
    (tmp_path / "colour.png").write_bytes(png(np.zeros((64, 64, 3), np.uint8)))
    np.save(tmp_path / "numbers.npy", np.zeros((64, 64), np.float32))
    path = listed(tmp_path, collages(1, "train")[0], header, [cell])
    with pytest.raises(DataError, match=said):
        ImageModality().open(str(path), "train").read(0)


def test_images_of_several_sizes_train_and_are_drawn(tmp_path: Path) -> None:
    tiny = ["--set", "encoder.depth=2", "--set", "encoder.width=16", "--set", "transform.levels=[0,-1]", "--set", "data.batch=4"]
    data = str(masked(tmp_path / "a", 6, "train"))
    assert main(["train", "image-quick", "--data", data, "--steps", "1", *tiny, "--out", str(tmp_path / "run")]) == 0
    found = read_masks(tmp_path / "run")
    assert found is not None
    assert len(found.ids) == 6
    assert found.pictures.shape[:2] == (6, 192)


@pytest.mark.slow
def test_training_and_evaluation_take_masks_of_several_sizes(tmp_path: Path) -> None:
    train, test = (masked(tmp_path / split, 24, split) for split in ("train", "test"))
    short = ["--steps", "2", "--set", "data.batch=8", "--set", "evaluate.budgets=[]", "--set", "evaluate.probes=[linear]"]
    assert main(["train", "image-quick", "--data", str(train), *short, "--out", str(tmp_path / "run")]) == 0
    assert main(["eval", str(tmp_path / "run"), "--data", str(train), "--test", str(test)]) == 0
