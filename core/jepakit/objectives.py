"""Terms of the loss. Each is a scalar in float32; the recipe weighs them.

Prediction terms average over the valid tokens of a query, weighted if the plan says so, then over the queries; on several ranks each
over its own rows, as data-parallel training does.
Regularisers act on embeddings; their batch statistics cross ranks through `jepakit.crossrank` only.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from einops import rearrange
from pydantic import Field
from torch import Tensor

from jepakit.characteristic import characteristic
from jepakit.contracts import Objective, StepOutput
from jepakit.crossrank import all_gather_rows, mean_over_ranks
from jepakit.settings import Settings


def over_queries(out: StepOutput, distance: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Mean over queries of the weighted mean over tokens of `distance`, which maps (B, n, D) pairs to (B, n)."""
    terms = []
    for prediction, target, valid, weight in zip(out.predictions, out.targets, out.valid, out.weights):
        each = distance(prediction.float(), target.float())
        mass = None if valid is None else valid.float()
        if weight is not None:
            mass = weight.float() if mass is None else mass * weight
        terms.append(each.mean() if mass is None else (each * mass).sum() / mass.sum().clamp_min(1e-8))
    return torch.stack(terms).mean()


class SmoothL1Settings(Settings):
    beta: float = Field(1.0, gt=0, description="where the square becomes linear (the code of I-JEPA: 1)")


class SmoothL1(Objective):
    """Smooth L1 between prediction and target, mean over the width (the released code of I-JEPA; its paper says L2)."""

    def __init__(self, settings: SmoothL1Settings, *, width: int) -> None:
        super().__init__()
        self.beta = settings.beta

    def forward(self, out: StepOutput, step: int) -> Tensor:
        return over_queries(out, lambda p, t: F.smooth_l1_loss(p, t, reduction="none", beta=self.beta).mean(-1))


class L1Settings(Settings):
    pass


class L1(Objective):
    """Mean absolute difference (V-JEPA, arXiv 2404.08471, section 3.1)."""

    def __init__(self, settings: L1Settings, *, width: int) -> None:
        super().__init__()

    def forward(self, out: StepOutput, step: int) -> Tensor:
        return over_queries(out, lambda p, t: (p - t).abs().mean(-1))


class MseSettings(Settings):
    pass


class Mse(Objective):
    """Mean squared difference."""

    def __init__(self, settings: MseSettings, *, width: int) -> None:
        super().__init__()

    def forward(self, out: StepOutput, step: int) -> Tensor:
        return over_queries(out, lambda p, t: (p - t).square().mean(-1))


class CosineSettings(Settings):
    pass


class Cosine(Objective):
    """1 - cosine between prediction and target (3D-JEPA, arXiv 2409.15803, section 3.3)."""

    def __init__(self, settings: CosineSettings, *, width: int) -> None:
        super().__init__()

    def forward(self, out: StepOutput, step: int) -> Tensor:
        return over_queries(out, lambda p, t: 1.0 - F.cosine_similarity(p, t, dim=-1))


def pooled_contexts(out: StepOutput) -> list[Tensor]:
    """One (B, D) float32 a context: the mean over its valid tokens."""
    pooled = []
    for features in out.contexts:
        x = features.last.float()
        if features.valid is None:
            pooled.append(x.mean(1))
        else:
            mass = features.valid.float()[..., None]
            pooled.append((x * mass).sum(1) / mass.sum(1).clamp_min(1.0))
    return pooled


class VarianceSettings(Settings):
    floor: float = Field(1.0, gt=0, description="standard deviation below which a dimension is pushed apart")


class Variance(Objective):
    """Hinge on the standard deviation of each dimension of the pooled context (VICReg, arXiv 2105.04906, equation 1)."""

    def __init__(self, settings: VarianceSettings, *, width: int) -> None:
        super().__init__()
        self.floor = settings.floor

    def forward(self, out: StepOutput, step: int) -> Tensor:
        rows = [all_gather_rows(part) for part in pooled_contexts(out)]
        return torch.stack([F.relu(self.floor - (part.var(0) + 1e-4).sqrt()).mean() for part in rows]).mean()


class CovarianceSettings(Settings):
    pass


class Covariance(Objective):
    """Squared off-diagonal covariance of the pooled context over the width (VICReg, arXiv 2105.04906, equation 3)."""

    def __init__(self, settings: CovarianceSettings, *, width: int) -> None:
        super().__init__()

    def forward(self, out: StepOutput, step: int) -> Tensor:
        terms = []
        for part in pooled_contexts(out):
            centred = all_gather_rows(part)
            centred = centred - centred.mean(0)
            covariance = centred.T @ centred / max(len(centred) - 1, 1)
            terms.append((covariance.square().sum() - covariance.diagonal().square().sum()) / covariance.shape[0])
        return torch.stack(terms).mean()


class GaussianSlicesSettings(Settings):
    slices: int = Field(256, ge=1, description="random directions a step (LeJEPA's minimal example: 256)")
    nodes: int = Field(17, ge=2, description="points of the trapezoid rule on [0, reach]")
    reach: float = Field(3.0, gt=0, description="largest frequency tested")


class GaussianSlices(Objective):
    """Sketched isotropic Gaussian regularisation: the Epps-Pulley statistic along random directions, divided by the sample count.

    Directions are redrawn every step from a generator seeded by the step, so all ranks share them.
    Source: LeJEPA, Balestriero and LeCun 2025 (arXiv 2511.08544), section 4.
    """

    def __init__(self, settings: GaussianSlicesSettings, *, width: int) -> None:
        super().__init__()
        self.settings = settings

    def forward(self, out: StepOutput, step: int) -> Tensor:
        return gaussian_slices(torch.stack(pooled_contexts(out)), step, self.settings)


def gaussian_slices(z: Tensor, step: int, settings: GaussianSlicesSettings) -> Tensor:
    """The statistic of z (C, R, D) float32, C contexts of R rows, mean over contexts, a scalar.

    About 1.05 / R for a standard normal, 0.402 for a constant zero.
    """
    generator = torch.Generator().manual_seed(step)
    directions = F.normalize(torch.randn(z.shape[-1], settings.slices, generator=generator), dim=0).to(z.device)
    nodes = torch.linspace(0.0, settings.reach, settings.nodes, device=z.device)
    gap = settings.reach / (settings.nodes - 1)
    weights = torch.full_like(nodes, 2 * gap)
    weights[0] = weights[-1] = gap
    normal = torch.exp(-nodes.square() / 2)
    parts = characteristic(rearrange(z @ directions, "c r s -> r (c s)"), gap, settings.nodes)
    real, imaginary = mean_over_ranks(torch.stack(parts), z.shape[1]).unbind(0)
    return ((real - normal[:, None]).square() + imaginary.square()).mul((weights * normal)[:, None]).sum(0).mean()
