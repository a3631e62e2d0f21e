"""Contexts of one sample tell the same whole: a term that keeps pooled embeddings alike across contexts and apart across samples."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from jepakit.contracts import Objective, StepOutput
from jepakit.crossrank import moments_over_ranks, world_size
from jepakit.errors import ContractError
from jepakit.objectives import GaussianSlicesSettings, gaussian_slices, pooled_contexts
from jepakit.settings import Settings


class AgreementSettings(Settings):
    """Defaults: LeJEPA's minimal example (arXiv 2511.08544, section 6.1: share 0.05), its projector made smaller for small encoders."""

    width: int = Field(64, ge=2, description="outputs of the projector, where contexts are compared")
    hidden: int = Field(512, ge=2, description="hidden width of the projector")
    gaussian: float = Field(0.05, gt=0, lt=1, description="share of the Gaussian statistic that keeps samples apart; the rest is agreement")
    slices: int = Field(256, ge=1, description="random directions a step of the Gaussian statistic")


class Agreement(Objective):
    """(1 - g) * squared distance of each projected context to the mean over contexts + g * B * Gaussian statistic of each context.

    B is the batch of all ranks. The tokens of a context say what is near them; prediction alone needs no more. This term asks the pooled
    embedding what does not depend on which part is seen, and the Gaussian statistic keeps the answer from being the same for all samples.
    It needs a masker with two contexts a sample or more, and costs one projector.

    Source: the loss of LeJEPA, Balestriero and LeCun 2025 (arXiv 2511.08544), section 5, with masked contexts in place of crops.
    """

    def __init__(self, settings: AgreementSettings, *, width: int) -> None:
        super().__init__()
        self.share = settings.gaussian
        self.slices = GaussianSlicesSettings(slices=settings.slices)
        self.enter = nn.Linear(width, settings.hidden)
        self.leave = nn.Linear(settings.hidden, settings.width)

    def forward(self, out: StepOutput, step: int) -> Tensor:
        pooled = pooled_contexts(out)
        if len(pooled) < 2:
            raise ContractError(
                f"agreement compares contexts of one sample, but the plan has {len(pooled)}; set masker.contexts to 2 or more"
            )
        projected = self.project(torch.cat(pooled)).unflatten(0, (len(pooled), -1))
        apart = gaussian_slices(projected, step, self.slices) * projected.shape[1] * world_size()
        together = (projected - projected.mean(0)).square().mean()
        return (1.0 - self.share) * together + self.share * apart

    def project(self, z: Tensor) -> Tensor:
        """(R, D) → (R, width) float32. The hidden layer is standardised over all rows of all ranks, so that none of its units is idle."""
        hidden = self.enter(z.to(self.enter.weight.dtype)).float()
        mean, variance = moments_over_ranks(hidden)
        out: Tensor = self.leave(nn.functional.gelu((hidden - mean) / (variance + 1e-6).sqrt()).to(self.leave.weight.dtype))
        return out.float()
