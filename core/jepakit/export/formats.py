"""The files of each format: written, then read back and run as the program they are for would."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jepakit import disk
from jepakit.checkpoint.tensors import safetensors_pieces
from jepakit.embed.encoder import LoadedEncoder
from jepakit.embed.source import MODEL_WEIGHTS
from jepakit.errors import JepakitError, PluginError
from jepakit.export.frozen import Example, Frozen

GRAPH, ONNX = "model.pt2", "model.onnx"
OPSET = 20
"""Of ONNX: has the erf form of GELU and layer normalisation; onnxruntime reads it since 1.17."""
FEWEST_ROWS = 2
"""torch.export takes an axis of size 1 for a constant, so the example batch has two rows."""
UNTRACEABLE = (RuntimeError, ValueError, TypeError, AttributeError, AssertionError, NotImplementedError)
"""What torch.export raises, and what code meets under it: its own errors are RuntimeErrors."""


@dataclass(frozen=True)
class Format:
    """write: puts its file into a folder. run: embeddings of the example by what lies there. needs: packages."""

    write: Callable[[LoadedEncoder, Example, Path], None]
    run: Callable[[Path, Example], np.ndarray]
    needs: tuple[str, ...] = ()


def write_weights(encoder: LoadedEncoder, example: Example, folder: Path) -> None:
    """Parameters and buffers under the names of their modules."""
    disk.write_new(folder / MODEL_WEIGHTS, safetensors_pieces(encoder.kept.backbone.state_dict()), mode=0o644)


def write_graph(encoder: LoadedEncoder, example: Example, folder: Path) -> None:
    """A program of torch.export, for any number of rows."""
    torch.export.save(traced(encoder, example), folder / GRAPH)


def write_onnx(encoder: LoadedEncoder, example: Example, folder: Path) -> None:
    """An ONNX model with the input "values" and the output "embedding", for any number of rows, weights inside."""
    program = traced(encoder, example)
    with quiet():
        torch.onnx.export(
            program,
            f=str(folder / ONNX),
            input_names=["values"],
            output_names=["embedding"],
            opset_version=OPSET,
            external_data=False,
            dynamo=True,
            verbose=False,
        )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Exporters warn of their own insides, and log which optional packages they lack."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)


def traced(encoder: LoadedEncoder, example: Example) -> torch.export.ExportedProgram:
    """The graph; JepakitError where the tokenizer or the encoder does what no graph can hold."""
    frozen, values = Frozen(encoder.module.cpu(), example.samples[0]), example.values
    rows = torch.export.Dim("batch", min=1, max=65_536)
    with torch.no_grad(), quiet():
        try:
            return torch.export.export(frozen, (values,), dynamic_shapes=({0: rows},))
        except UNTRACEABLE as error:
            reason = str(error).strip().splitlines()
            raise JepakitError(f"this encoder can't be traced ({reason[0] if reason else error!r}); use --format safetensors") from error


def run_folder(folder: Path, example: Example) -> np.ndarray:
    """As `jepakit.load` runs the folder."""
    z = LoadedEncoder(folder, device="cpu")(example.samples)
    assert isinstance(z, np.ndarray)
    return z


def run_graph(folder: Path, example: Example) -> np.ndarray:
    """As torch runs a saved program."""
    program = torch.export.load(folder / GRAPH)
    with torch.inference_mode():
        found: Tensor = program.module()(example.values)
    return found.numpy()


def run_onnx(folder: Path, example: Example) -> np.ndarray:
    """As onnxruntime runs the model on a CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / ONNX), providers=["CPUExecutionProvider"])
    found = session.run(["embedding"], {"values": example.values.numpy()})[0]
    return np.asarray(found)


def check_installed(name: str) -> Format:
    """The format of that name; PluginError with the pip line when its library is missing."""
    form = FORMATS[name]
    missing = [package for package in form.needs if find_spec(package) is None]
    if missing:
        raise PluginError(f'--format {name} needs {", ".join(missing)}: pip install "jepakit[export]"')
    return form


FORMATS = {
    "safetensors": Format(write_weights, run_folder),
    "huggingface": Format(write_weights, run_folder),
    "torch-export": Format(write_graph, run_graph),
    "onnx": Format(write_onnx, run_onnx, ("onnx", "onnxscript", "onnxruntime")),
}
"""safetensors and huggingface are the same files; the card of the second has the header that its hub reads."""
