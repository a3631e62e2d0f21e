"""What users hand to an encoder (samples, arrays, a reader) as one thing: a reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from jepakit.contracts import Reader, Sample
from jepakit.contracts.carriers import MAIN
from jepakit.errors import DataError

Samples = Reader | Sample | Iterable[Sample] | Iterable[np.ndarray] | np.ndarray | torch.Tensor
"""All that an encoder can be called on. An array has samples along its first axis."""


class GivenSamples(Reader):
    """Samples that are in memory already."""

    def __init__(self, samples: Sequence[Sample], spec: Mapping[str, Any]) -> None:
        self._samples, self._spec = samples, spec

    def __len__(self) -> int:
        return len(self._samples)

    def read(self, index: int) -> Sample:
        return self._samples[index]

    def spec(self) -> Mapping[str, Any]:
        return self._spec

    def fingerprint(self) -> str:
        return "in memory"


def as_reader(samples: Samples, spec: Mapping[str, Any]) -> Reader:
    """A reader over whatever was given; DataError for anything that holds no samples."""
    if isinstance(samples, Reader):
        return samples
    if isinstance(samples, Sample):
        return GivenSamples([samples], spec)
    if isinstance(samples, torch.Tensor):
        samples = samples.detach().cpu().numpy()
    if isinstance(samples, str | bytes | Mapping) or not isinstance(samples, Iterable):
        raise DataError(
            f"an encoder takes samples, arrays or a reader, not {type(samples).__name__}; "
            "for files use `encoder(encoder.open(path))`, or `jepakit embed`"
        )
    given = [sample_of(item, number) for number, item in enumerate(samples)]
    return GivenSamples(given, spec)


def sample_of(item: Any, number: int) -> Sample:
    """A sample as it is, or an array as the only stream of one."""
    if isinstance(item, Sample):
        return item
    array = item.detach().cpu().numpy() if isinstance(item, torch.Tensor) else np.asarray(item)
    if array.dtype.kind not in "iufb" or array.ndim == 0:
        raise DataError(
            f"sample {number} is {array.dtype} of shape {array.shape}; expected an array of numbers with the axes of its modality"
        )
    return Sample({MAIN: array}, id=str(number))
