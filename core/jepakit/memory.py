"""Samples that are arrays in memory: the shortest way from numpy to a `Reader`, for made-up samples and small recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, final

import numpy as np

from jepakit.contracts.carriers import MAIN, Sample
from jepakit.contracts.roles import Reader
from jepakit.errors import DataError


@final
class MemoryReader(Reader):
    """One array a sample, in the stream "main". The fingerprint is a digest of arrays and labels."""

    def __init__(
        self,
        arrays: Sequence[np.ndarray],
        labels: Sequence[Any] | None = None,
        *,
        kind: str,
        ids: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """kind: name of the modality. facts: what all samples share (channels, rate_hz, class_names), JSON-able; goes into `spec()`.

        Raises:
            DataError: no sample, or labels, ids or groups that are not one a sample, or an id twice.
        """
        self._arrays, self._facts = arrays, {"kind": kind, **(facts or {})}
        self._labels, self._groups = labels, groups
        self._ids = [f"{kind}/{index}" for index in range(len(arrays))] if ids is None else [str(name) for name in ids]
        if not len(arrays):
            raise DataError(f"there is no sample of kind '{kind}'")
        for name, given in (("labels", labels), ("ids", self._ids), ("groups", groups)):
            if given is not None and len(given) != len(arrays):
                raise DataError(f"{len(given)} {name} for {len(arrays)} samples; give one a sample")
        if len(set(self._ids)) < len(self._ids):
            raise DataError("two samples have the same id; masks and augmentations are keyed by it, so it must be unique")

    def __len__(self) -> int:
        return len(self._arrays)

    def read(self, index: int) -> Sample:
        label = None if self._labels is None else self._labels[index]
        group = None if self._groups is None else self._groups[index]
        return Sample({MAIN: np.asarray(self._arrays[index])}, id=self._ids[index], label=label, group=group)

    def spec(self) -> Mapping[str, Any]:
        return {**self._facts, "count": len(self)}

    def fingerprint(self) -> str:
        digest = blake2b(digest_size=16)
        for index, array in enumerate(self._arrays):
            digest.update(f"{self._ids[index]} {np.shape(array)} {np.asarray(array).dtype}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(repr(None if self._labels is None else list(self._labels)).encode())
        return digest.hexdigest()
