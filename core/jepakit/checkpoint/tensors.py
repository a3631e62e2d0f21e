"""Tensors to safetensors bytes, one tensor at a time, so that saving needs no second copy of the state in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from jepakit.checkpoint.format import DTYPES
from jepakit.errors import CheckpointError


def byte_size(tensors: Mapping[str, Tensor]) -> int:
    """Bytes of the contents, without the header."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def safetensors_pieces(tensors: Mapping[str, Tensor]) -> Iterator[bytes | memoryview]:
    """The file in pieces: length of the header (8 bytes, little endian), header (JSON), contents. CheckpointError for an odd dtype.

    Wide dtypes come first, so that every tensor is aligned to its element size.
    """
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header, end = {}, 0
    for name in names:
        start, end = end, end + byte_size({name: tensors[name]})
        header[name] = {"dtype": dtype_name(name, tensors[name]), "shape": list(tensors[name].shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little")
    yield text
    for name in names:
        yield _contents(tensors[name])


def dtype_name(name: str, tensor: Tensor) -> str:
    """Name of the dtype in the file; CheckpointError where the format has none."""
    if tensor.dtype not in DTYPES:
        raise CheckpointError(
            f"tensor '{name}' is {tensor.dtype}, which a checkpoint can't hold; convert it to a real floating or integer dtype"
        )
    return DTYPES[tensor.dtype]


def _contents(tensor: Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def parse_safetensors(data: bytes) -> dict[str, Tensor]:
    """Bytes of a safetensors file to tensors in main memory; CheckpointError when they are anything else."""
    try:
        return dict(safetensors.torch.load(data))
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"not a valid safetensors file: {error}") from error
