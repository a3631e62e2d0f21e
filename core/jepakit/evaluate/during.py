"""A probe while an encoder trains: labelled training samples say every so many steps how much it knows, so that the best can be kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from jepakit.build import Parts
from jepakit.config import RunConfig
from jepakit.contracts import Reader, Sample
from jepakit.errors import DataError
from jepakit.evaluate.labels import Task
from jepakit.evaluate.probes import cross_validated, preparation, prepared, probes
from jepakit.evaluate.run import features_of
from jepakit.evaluate.splits import subsample


class TrainingProbe:
    """How well a linear probe reads labels off the encoder as it is now: cross-validated on a fixed choice of training samples.

    Groups stay on one side of a fold. The pooling is the recipe's first, the metric its first one (higher is better; errors are
    negated), accuracy or R² where it names none; the penalty is fixed, so that only the encoder differs between steps. No random
    number of the run is used and every module is left in the mode it was in, so training goes on as if nobody had asked.
    """

    def __init__(self, config: RunConfig, parts: Parts, reader: Reader) -> None:
        settings = config.evaluate.model_copy(update={"probes": ("linear",), "poolings": config.evaluate.poolings[:1]})
        self.config, self.parts = config.model_copy(update={"evaluate": settings}), parts
        self.samples = Chosen(reader, subsample(len(reader), config.train.probe_samples, config.train.seed))
        first = self.samples.read(0)
        if first.label is None:
            raise DataError(f"train.probe_every: sample '{first.id}' has no label; give labelled training data, or leave the option out")

    def __call__(self) -> float:
        modes = [(module, module.training) for module in self.parts.jepa.modules()]
        try:
            found = features_of(self.config, self.parts, self.samples, None).train
        finally:
            for module, training in modes:
                module.training = training
        assert found.labels is not None
        settings, seed = self.config.evaluate, self.config.train.seed
        task: Task | None = "classification" if found.stated == "dense" else found.stated  # its tokens have become samples
        (probe,) = probes(found.labels, settings, task=task, seed=seed)
        z = next(iter(found.by_pooling.values()))
        option = probe.grid[len(probe.grid) // 2]
        with threadpool_limits(1):
            x = prepared(preparation(z, settings, seed), z)
            return cross_validated(probe, option, x, found.labels, groups=found.groups, settings=settings, seed=seed)


class Chosen(Reader):
    """Some samples of another reader."""

    def __init__(self, inner: Reader, rows: np.ndarray) -> None:
        self.inner, self.rows = inner, rows

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, index: int) -> Sample:
        return self.inner.read(int(self.rows[index]))

    def spec(self) -> Mapping[str, Any]:
        return {**self.inner.spec(), "count": len(self)}

    def fingerprint(self) -> str:
        return f"{self.inner.fingerprint()}[{len(self)}]"
