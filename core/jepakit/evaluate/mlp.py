"""The MLP probe: two hidden layers over one vector a sample.

scikit-learn's has no falling rate for Adam, without which the last steps are noise: on California housing an RMSE a twentieth higher than
here with the same features (docs/results.md, "Tables").
"""

from __future__ import annotations

from torch import nn

from jepakit.evaluate.labels import Task
from jepakit.evaluate.neural import NeuralProbe, Plan

HIDDEN, DROPOUT, DECAY = 256, 0.2, 0.1
"""Width of both hidden layers, share of their units dropped, weight decay."""
BATCH, RATE, LEAST_STEPS = 256, 1e-3, 100
"""Samples and rate of a step; steps for few samples."""


def mlp_probe(task: Task, epochs: float, seed: int) -> NeuralProbe:
    """Over features (M, F); `epochs` times all samples, but `LEAST_STEPS` at least."""
    return NeuralProbe(task, _perceptron, Plan(lambda rows: max(LEAST_STEPS, round(epochs * rows / BATCH)), BATCH, RATE, DECAY), seed)


def _perceptron(width: int, out: int) -> nn.Module:
    hidden = [nn.Linear(width, HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT)]
    return nn.Sequential(*hidden, nn.Linear(HIDDEN, out))
