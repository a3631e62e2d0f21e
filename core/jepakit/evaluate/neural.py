"""Probes that are small networks: one way to fit them, whatever they look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jepakit.evaluate.labels import Task


@dataclass(frozen=True)
class Plan:
    """How long and how fast: AdamW, batches of rows drawn with replacement, the rate falling to zero by a cosine.

    steps: rows that are fitted on → optimiser steps. decay: weight decay.
    """

    steps: Callable[[int], int]
    batch: int
    rate: float
    decay: float


class NeuralProbe:
    """fit, predict, score over features (M, F), or tokens (M, N, D) float16 or float32. The same for the same seed.

    network: (width of the last axis, outputs) → a module from a batch of samples to (B, outputs).
    """

    def __init__(self, task: Task, network: Callable[[int, int], nn.Module], plan: Plan, seed: int) -> None:
        self.task, self.network, self.plan, self.seed = task, network, plan, seed

    def fit(self, x: np.ndarray, y: np.ndarray) -> NeuralProbe:
        """Every constant (scale of features and of numbers) comes from these samples."""
        self.classes_ = np.unique(y) if self.task == "classification" else np.arange(y.shape[1] if y.ndim == 2 else 1)
        self._shift, self._scale = feature_scale(x)
        numbers = y.astype(np.float32).reshape(len(y), -1)
        self._flat, self._mean, self._std = y.ndim == 1, numbers.mean(0), np.maximum(numbers.std(0), 1e-6)
        targets = self._targets(y, numbers)
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(self.seed)
            self._model = self.network(x.shape[-1], max(len(self.classes_), 1))
            self._train(x, targets)
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        """(M,) or (M, L), like the labels."""
        out = self._outputs(x)
        if self.task == "classification":
            return np.asarray(self.classes_[out.argmax(1)])
        out = (out > 0).astype(np.int64) if self.task == "multilabel" else out * self._std + self._mean
        return out[:, 0] if self._flat else out

    def decision_function(self, x: np.ndarray) -> np.ndarray:
        """(M, C), the higher the likelier."""
        return self._outputs(x)

    def score(self, x: np.ndarray, y: np.ndarray) -> float:
        """Share of right samples; for numbers minus the mean squared error."""
        found = self.predict(x)
        return -float(np.square(found - y).mean()) if self.task == "regression" else float(np.mean(found == y))

    def _targets(self, y: np.ndarray, numbers: np.ndarray) -> Tensor:
        if self.task == "classification":
            return torch.from_numpy(np.searchsorted(self.classes_, y))
        return torch.from_numpy(numbers if self.task == "multilabel" else (numbers - self._mean) / self._std)

    def _train(self, x: np.ndarray, targets: Tensor) -> None:
        loss_of: Any = {"classification": F.cross_entropy, "multilabel": F.binary_cross_entropy_with_logits}.get(self.task, F.mse_loss)
        rng = np.random.Generator(np.random.Philox(key=np.array([self.seed, len(x)], dtype=np.uint64)))
        optimiser = torch.optim.AdamW(self._model.parameters(), lr=self.plan.rate, weight_decay=self.plan.decay, fused=True)
        steps = self.plan.steps(len(x))
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        self._model.train()
        for _ in range(steps):
            rows = rng.integers(len(x), size=min(self.plan.batch, len(x)))
            loss = loss_of(self._model(self._standardised(x[rows])), targets[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            falling.step()
        self._model.eval()

    def _standardised(self, x: np.ndarray) -> Tensor:
        return (torch.from_numpy(x.astype(np.float32)) - self._shift) / self._scale

    def _outputs(self, x: np.ndarray) -> np.ndarray:
        size = self.plan.batch
        with torch.inference_mode():
            parts = [self._model(self._standardised(x[start : start + size])) for start in range(0, len(x), size)]
        return np.asarray(torch.cat(parts).numpy())


def feature_scale(x: np.ndarray) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (D,) over tokens of evenly spread samples of (M, N, D).

    Of features (M, F), which are standardised already or are principal components, one of each for all: components of little variance
    must not weigh as much as others.
    """
    seen = torch.from_numpy(x[:: max(1, len(x) // 1000)].astype(np.float32))
    if seen.ndim == 2:
        return seen.mean(), seen.std(correction=0).clamp_min(1e-5)
    seen = seen.flatten(0, 1)
    return seen.mean(0), seen.std(0, correction=0).clamp_min(1e-5)
