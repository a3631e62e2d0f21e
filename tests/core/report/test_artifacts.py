"""What a run leaves behind for its report: round trips, refusals, damaged files."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from jepakit.errors import ContractError, DataError
from jepakit.report.artifacts import framed, read_embedding, read_evaluation, read_masks, read_steps, save_embedding, save_masks

PICTURES = np.arange(3 * 4 * 5 * 3, dtype=np.uint8).reshape(3, 4, 5, 3)
Z = np.linspace(-1, 1, 12, dtype=np.float64).reshape(3, 4)


def test_pictures_of_several_sizes_stand_in_the_middle_of_white() -> None:
    found = framed([np.zeros((4, 2, 3), np.uint8), np.zeros((2, 6, 3), np.uint8)])
    assert found.shape == (2, 4, 6, 3)
    assert (found[0, :, 2:4] == 0).all()
    assert (found[0, :, :2] == 255).all()
    assert (found[1, 1:3] == 0).all()
    assert (found[1, [0, 3]] == 255).all()


def test_masks_come_back_as_saved(tmp_path: Path) -> None:
    save_masks(tmp_path, PICTURES, ["a", "b", "名"])
    masks = read_masks(tmp_path)
    assert masks is not None
    assert masks.ids == ("a", "b", "名")
    np.testing.assert_array_equal(masks.pictures, PICTURES)


def test_embedding_comes_back_as_saved_in_its_promised_types(tmp_path: Path) -> None:
    save_embedding(tmp_path, Z, np.array([0, 1, -1], np.int32), ["a", "b", "c"], PICTURES, ["cat", "dog"])
    found = read_embedding(tmp_path)
    assert found is not None
    assert found.y is not None
    assert found.pictures is not None
    assert (found.z.dtype, found.y.dtype) == (np.float32, np.int64)
    np.testing.assert_allclose(found.z, Z, rtol=1e-6)
    assert (found.y.tolist(), found.ids, found.class_names) == ([0, 1, -1], ("a", "b", "c"), ("cat", "dog"))
    np.testing.assert_array_equal(found.pictures, PICTURES)


def test_embedding_without_labels_and_pictures(tmp_path: Path) -> None:
    save_embedding(tmp_path, Z, None, ["a", "b", "c"])
    found = read_embedding(tmp_path)
    assert found is not None
    assert (found.y, found.pictures, found.class_names) == (None, None, ())


def test_missing_files_read_as_nothing(tmp_path: Path) -> None:
    assert (read_masks(tmp_path), read_embedding(tmp_path), read_evaluation(tmp_path), read_steps(tmp_path)) == (None, None, None, [])


def test_nothing_is_left_beside_the_file(tmp_path: Path) -> None:
    path = save_masks(tmp_path, PICTURES, ["a", "b", "c"])
    save_masks(tmp_path, PICTURES[:1], ["a"])
    assert [entry.name for entry in path.parent.iterdir()] == ["masks.npz"]


@pytest.mark.parametrize(
    ("pictures", "ids"),
    [(PICTURES.astype(np.float32), ["a", "b", "c"]), (PICTURES[..., :1], ["a", "b", "c"]), (PICTURES, ["a"]), (PICTURES[0], ["a"])],
    ids=["float", "one channel", "too few ids", "one picture"],
)
def test_pictures_of_the_wrong_kind_are_refused(tmp_path: Path, pictures: np.ndarray, ids: list[str]) -> None:
    with pytest.raises(ContractError, match="expected uint8"):
        save_masks(tmp_path, pictures, ids)


def test_embeddings_that_do_not_fit_their_ids_or_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="one id a row"):
        save_embedding(tmp_path, Z, None, ["a"])
    with pytest.raises(ContractError, match="one label a row"):
        save_embedding(tmp_path, Z, np.zeros(2, np.int64), ["a", "b", "c"])


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "object array", "array missing"])
def test_damaged_archive_is_named(tmp_path: Path, damage: str) -> None:
    path = save_masks(tmp_path, PICTURES, ["a", "b", "c"])
    whole = path.read_bytes()
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "flipped":
        path.write_bytes(whole[:80] + bytes(byte ^ 255 for byte in whole[80:100]) + whole[100:])
    elif damage == "text":
        path.write_text("not an archive")
    elif damage == "object array":
        np.savez(path, pictures=np.array([{}], dtype=object), ids=np.array(["a"]))
    else:
        with zipfile.ZipFile(path, "w"):
            pass
    with pytest.raises(DataError, match=r"masks\.npz"):
        read_masks(tmp_path)


def test_steps_are_sorted_and_a_repeated_step_counts_as_last_done(tmp_path: Path) -> None:
    records = [
        {"event": "start"},
        *({"event": "step", "step": step, "loss": loss} for step, loss in [(1, 1.0), (3, 3.0), (2, 2.0), (3, 9.0)]),
    ]
    lines = [json.dumps(record) for record in records]
    (tmp_path / "metrics.jsonl").write_text("\n".join([*lines, '{"event": "step", "st']))
    assert [(record["step"], record["loss"]) for record in read_steps(tmp_path)] == [(1, 1.0), (2, 2.0), (3, 9.0)]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"rows": 3}'])
def test_damaged_evaluation_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "evaluation.json").write_text(text)
    with pytest.raises(DataError, match=r"evaluation\.json"):
        read_evaluation(tmp_path)
