"""Encoders for other programs: the same numbers by other means, a card that says what it is, nothing kept that differs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import jepakit
from jepakit.cli.main import main
from jepakit.contracts import Sample
from jepakit.embed.encoder import LoadedEncoder
from jepakit.errors import JepakitError, UsageError
from jepakit.export import formats
from jepakit.export.frozen import Example, Frozen
from jepakit.export.job import difference, export

ROWS = [
    {"row": row, "probe": "linear", "labels": "all", "metric": "accuracy", "value": value, "low": value - 0.1, "high": value + 0.1}
    for row, value in (("encoder", 0.8), ("untrained", 0.5))
]


@pytest.fixture(scope="module")
def encoder(digits_run: Path) -> LoadedEncoder:
    return jepakit.load(digits_run, pooling="mean+std")


@pytest.fixture(scope="module")
def digits(encoder: LoadedEncoder) -> np.ndarray:
    reader = encoder.open("bundled:digits", "test")
    return np.stack([reader.read(row).streams["main"] for row in range(20)])


@pytest.mark.parametrize("name", ["huggingface", "safetensors"])
def test_folder_loads_back_and_is_equal(encoder: LoadedEncoder, digits: np.ndarray, tmp_path: Path, name: str) -> None:
    done = export(encoder, name, tmp_path / "m")
    assert done.files == ("README.md", "config.json", "model.safetensors")
    again = jepakit.load(tmp_path / "m")
    assert again.module.pooling == "mean+std"
    np.testing.assert_array_equal(again(digits), encoder(digits))
    assert (tmp_path / "m" / "README.md").read_text().startswith("---") == (name == "huggingface")
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_weights_are_plain_safetensors(encoder: LoadedEncoder, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    export(encoder, "safetensors", tmp_path / "m")
    found = load_file(tmp_path / "m" / "model.safetensors")
    own = encoder.module.backbone.state_dict()
    assert found.keys() == own.keys()
    assert all(torch.equal(found[key], own[key]) for key in own)


def test_torch_export_takes_any_number_of_rows(encoder: LoadedEncoder, digits: np.ndarray, tmp_path: Path) -> None:
    export(encoder, "torch-export", tmp_path / "m")
    program = torch.export.load(tmp_path / "m" / "model.pt2").module()
    for rows in (1, 3, 20):
        np.testing.assert_allclose(program(torch.from_numpy(digits[:rows])).detach().numpy(), encoder(digits[:rows]), atol=1e-5)


def test_onnx_takes_any_number_of_rows(encoder: LoadedEncoder, digits: np.ndarray, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    export(encoder, "onnx", tmp_path / "m")
    session = onnxruntime.InferenceSession(str(tmp_path / "m" / "model.onnx"), providers=["CPUExecutionProvider"])
    for rows in (1, 3, 20):
        (z,) = session.run(["embedding"], {"values": digits[:rows]})
        np.testing.assert_allclose(z, encoder(digits[:rows]), atol=1e-5)


def test_card_says_data_numbers_and_licence(digits_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "judged run"
    shutil.copytree(digits_run, run)
    (run / "evaluation.json").write_text(json.dumps({"pooling": "mean", "rows": ROWS, "sentence": "It learned a little."}))
    export(jepakit.load(run), "huggingface", tmp_path / "m")
    page = (tmp_path / "m" / "README.md").read_text()
    for words in (
        "judged run",
        "bundled:digits",
        "| linear | all | accuracy | 0.8 (0.7 – 0.9) | 0.5 (0.4 – 0.6) |",
        "It learned",
        "weights are yours",
    ):
        assert words in page
    assert "10 steps of 32 samples" in page


def test_what_differs_is_not_kept(encoder: LoadedEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    form = formats.Format(formats.write_weights, lambda folder, example: formats.run_folder(folder, example) + 0.01)
    monkeypatch.setitem(formats.FORMATS, "safetensors", form)
    with pytest.raises(JepakitError, match=r"differs from the original by 0\.01.*nothing was kept"):
        export(encoder, "safetensors", tmp_path / "m")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(JepakitError, match="shape"):
        difference("onnx", np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(JepakitError, match="differs"):
        difference("onnx", np.ones((2, 3)), np.full((2, 3), np.nan))


def test_nothing_is_overwritten(encoder: LoadedEncoder, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something already"):
        export(encoder, "safetensors", tmp_path / "m")


def test_graphs_refuse_several_streams(encoder: LoadedEncoder) -> None:
    sample = Sample({"main": np.zeros((1, 8, 8), np.uint8), "other": np.zeros(3)}, id="a")
    with pytest.raises(JepakitError, match="several streams"):
        _ = Example((sample, sample)).values
    assert Frozen(encoder.module, sample)(torch.zeros(2, 1, 8, 8, dtype=torch.uint8)).shape == (2, 64)


def test_command(digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(digits_run), "--out", str(tmp_path / "m"), "--checkpoint", "10", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["format"], said["samples"], said["width"], said["largest_difference"]) == ("huggingface", 8, 32, 0.0)
    assert main(["export", str(tmp_path / "m"), "--out", str(tmp_path / "n")]) == 2  # the folder does not say its data
    assert main(["export", str(tmp_path / "m"), "--out", str(tmp_path / "n"), "--data", "bundled:digits", "--format", "torch-export"]) == 0
