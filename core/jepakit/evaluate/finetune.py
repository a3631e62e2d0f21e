"""Full fine-tuning: a copy of the encoder and a linear layer on the mean of its tokens, all weights trained on the labels."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jepakit.contracts import Batch, Tokenizer
from jepakit.data.collate import Prepared, collate
from jepakit.evaluate.labels import Task
from jepakit.evaluate.pooling import pool
from jepakit.evaluate.samples import Samples
from jepakit.evaluate.settings import EvalSettings
from jepakit.model.backbone import Backbone

BATCH, DECAY, WARM = 64, 0.05, 0.1
"""Samples a step, weight decay of AdamW, and the share of steps in which the rate rises before its cosine fall."""
HEAD_RATE = 10
"""How much faster the new layer learns than the encoder."""


class FineTuned:
    """fit and predict over samples. The backbone that is handed over stays as it is; the same for the same seed."""

    def __init__(self, backbone: Backbone, tokenizers: Mapping[str, Tokenizer], *, task: Task, settings: EvalSettings, seed: int) -> None:
        self.backbone, self.tokenizers, self.task, self.settings, self.seed = backbone, tokenizers, task, settings, seed

    def fit(self, samples: Samples, y: np.ndarray) -> FineTuned:
        """Trains on batches drawn with replacement, keyed by the seed."""
        numbers = y.astype(np.float32).reshape(len(y), -1)
        self.classes_ = np.unique(y) if self.task == "classification" else np.arange(numbers.shape[1])
        self._flat, self._mean, self._std = y.ndim == 1, numbers.mean(0), np.maximum(numbers.std(0), 1e-6)
        self._model = copy.deepcopy(self.backbone).requires_grad_(True).cpu().train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self._head = nn.Linear(self._model.encoder.width, len(self.classes_))
            self._train(samples, self._targets(y, numbers))
        self._model.eval()
        return self

    def predict(self, samples: Samples) -> np.ndarray:
        """(M,) or (M, L), like the labels."""
        out = self.decision_function(samples)
        if self.task == "classification":
            return np.asarray(self.classes_[out.argmax(1)])
        out = (out > 0).astype(np.int64) if self.task == "multilabel" else out * self._std + self._mean
        return out[:, 0] if self._flat else out

    def decision_function(self, samples: Samples) -> np.ndarray:
        """(M, C), the higher the likelier."""
        with torch.no_grad():
            parts = [self._outputs(samples, np.arange(at, min(at + BATCH, len(samples)))) for at in range(0, len(samples), BATCH)]
        return np.asarray(torch.cat(parts).numpy())

    def _targets(self, y: np.ndarray, numbers: np.ndarray) -> Tensor:
        if self.task == "classification":
            return torch.from_numpy(np.searchsorted(self.classes_, y))
        return torch.from_numpy(numbers if self.task == "multilabel" else (numbers - self._mean) / self._std)

    def _train(self, samples: Samples, targets: Tensor) -> None:
        loss_of: Any = {"classification": F.cross_entropy, "multilabel": F.binary_cross_entropy_with_logits}.get(self.task, F.mse_loss)
        rng = np.random.Generator(np.random.Philox(key=np.array([self.seed, len(samples)], dtype=np.uint64)))
        rate, steps = self.settings.finetune_rate, self.settings.finetune_steps
        groups = [{"params": self._model.parameters(), "lr": rate}, {"params": self._head.parameters(), "lr": HEAD_RATE * rate}]
        optimiser = torch.optim.AdamW(groups, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, [rate, HEAD_RATE * rate], total_steps=max(steps, 2), pct_start=WARM, cycle_momentum=False
        )
        with torch.enable_grad():
            for _ in range(steps):
                rows = rng.integers(len(samples), size=min(BATCH, len(samples)))
                loss = loss_of(self._outputs(samples, rows), targets[rows])
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
                optimiser.step()
                schedule.step()

    def _outputs(self, samples: Samples, rows: np.ndarray) -> Tensor:
        pooled = pool(self._model.embed(self._batch(samples, rows)), ("mean",))["mean"]
        out: Tensor = self._head(pooled)
        return out

    def _batch(self, samples: Samples, rows: np.ndarray) -> Batch:
        chosen = [samples[int(row)] for row in rows]
        known = [
            Prepared(sample, {name: self.tokenizers.get(name, self.tokenizers["main"]).layout(sample, name) for name in sample.streams})
            for sample in chosen
        ]
        return collate(known, "pad", np.random.default_rng(0))
