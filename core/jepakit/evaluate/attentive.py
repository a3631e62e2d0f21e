"""The attentive probe: a learned query looks over the tokens, once a head, then a linear layer (as V-JEPA is probed, arXiv 2404.08471).

Simpler than the published one: no value projection and no MLP behind it, so that it fits within seconds on one core.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jepakit.evaluate.labels import Task

HEADS, STEPS, BATCH, RATE = 4, 600, 128, 3e-3
"""Of the optimiser: AdamW, cosine decay to zero. Chosen to end within a minute for 10,000 samples of 64 x 384, not tuned for score."""


class _Attention(nn.Module):
    """Tokens (B, N, D), standardised, → (B, out)."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, HEADS, bias=False)
        self.out = nn.Linear(HEADS * width, out)
        nn.init.zeros_(self.query.weight)  # starts as the mean of all tokens

    def forward(self, tokens: Tensor) -> Tensor:
        share = self.query(tokens).softmax(1)
        return self.out(torch.einsum("bnh,bnd->bhd", share, tokens).flatten(1))


class AttentiveProbe:
    """fit, predict, score over tokens (M, N, D) float16 or float32. The same for the same seed."""

    def __init__(self, task: Task, decay: float, seed: int) -> None:
        self.task, self.decay, self.seed = task, decay, seed

    def fit(self, x: np.ndarray, y: np.ndarray) -> AttentiveProbe:
        """Every constant (scale of features and of numbers) comes from these samples."""
        self.classes_ = np.unique(y) if self.task == "classification" else np.arange(y.shape[1] if y.ndim == 2 else 1)
        self._shift, self._scale = feature_scale(x)
        numbers = y.astype(np.float32).reshape(len(y), -1)
        self._flat, self._mean, self._std = y.ndim == 1, numbers.mean(0), np.maximum(numbers.std(0), 1e-6)
        targets = self._targets(y, numbers)
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(self.seed)
            self._model = _Attention(x.shape[2], max(len(self.classes_), 1))
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
        optimiser = torch.optim.AdamW(self._model.parameters(), lr=RATE, weight_decay=self.decay)
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
        with torch.enable_grad():
            for _ in range(STEPS):
                rows = rng.integers(len(x), size=min(BATCH, len(x)))
                loss = loss_of(self._model(self._standardised(x[rows])), targets[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                falling.step()

    def _standardised(self, x: np.ndarray) -> Tensor:
        return (torch.from_numpy(x.astype(np.float32)) - self._shift) / self._scale

    def _outputs(self, x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            parts = [self._model(self._standardised(x[start : start + BATCH])) for start in range(0, len(x), BATCH)]
        return np.asarray(torch.cat(parts).numpy())


def feature_scale(x: np.ndarray) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (D,) over tokens of evenly spread samples of (M, N, D)."""
    seen = torch.from_numpy(x[:: max(1, len(x) // 1000)].astype(np.float32)).flatten(0, 1)
    return seen.mean(0), seen.std(0, correction=0).clamp_min(1e-5)
