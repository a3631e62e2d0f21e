"""Gradient-ratio maps as what is predicted: hand-made, so that nothing can collapse and no teacher is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
from pydantic import AfterValidator, Field
from torch import Tensor, nn

from jepakit.sdk import ConfigError, Raw, RawFunctionTarget, Settings, patchify
from jepakit_sar.gradient import gradient_maps

if TYPE_CHECKING:
    from jepakit.sdk import TargetTransform


def spanning(found: tuple[int, ...]) -> tuple[int, ...]:
    """ValueError unless there are radii and all span a box."""
    if not found or min(found) < 1:
        raise ValueError(f"{list(found)}: expected at least one radius, each of 1 pixel or more")
    return found


class GradientSettings(Settings):
    """Which gradients. Radii: 5, 9, 13 and 17 pixels of the published code at 224 x 224, which shows chips of 128 pixels 1.75 times
    enlarged, are 2.9, 5.1, 7.4 and 9.7 pixels of the chip itself."""

    radii: Annotated[tuple[int, ...], AfterValidator(spanning)] = Field((3, 5, 7, 10), description="half sides of the boxes, in pixels")
    offset: float = Field(0.01, ge=0, description="added to the amplitude before ratios, as a share of full scale (published value)")
    standardise: bool = Field(True, description="every radius to zero mean and unit variance over the batch, so that all count alike")
    once: bool = Field(True, description="compute the maps once a sample and crop them with it; false = in every step, after the view")


class PatchedMaps:
    """Maps (B, C, H, W) → one row a token, (B, N, C * patch * patch) float32; made here when not given."""

    def __init__(self, settings: GradientSettings, patch: int) -> None:
        self.settings, self.patch = settings, patch

    def __call__(self, raw: Raw) -> Tensor:
        values = raw.values.float() if self.settings.once else self.maps(raw)
        if self.settings.standardise:
            values = standardised(values)
        return patchify(values, (self.patch, self.patch), raw.extent)

    def once(self, amplitude: np.ndarray) -> np.ndarray:
        """(C, H, W) amplitude → (C * radii, H, W) float16."""
        return gradient_maps(amplitude, self.settings.radii, self.settings.offset)

    def maps(self, raw: Raw) -> Tensor:
        """The maps of a batch, each image by itself, in the true size that it has."""
        images = raw.values.cpu().numpy()
        out = np.zeros((len(images), images.shape[1] * len(self.settings.radii), *images.shape[2:]), dtype=np.float32)
        sizes = [image.shape for image in images] if raw.extent is None else raw.extent.tolist()
        for row, (_, height, width) in enumerate(sizes):
            out[row, :, :height, :width] = self.once(images[row, :, :height, :width])
        return torch.from_numpy(out).to(raw.values.device)


def standardised(maps: Tensor) -> Tensor:
    """(B, C, H, W) with zero mean and unit variance a map over batch and pixels."""
    spread, mean = torch.std_mean(maps, dim=(0, 2, 3), keepdim=True, correction=0)
    return (maps - mean) / spread.clamp_min(1e-6)


def gradient_target(settings: GradientSettings, *, backbone: Any, transform: TargetTransform | None) -> RawFunctionTarget:
    """The target that a recipe calls `gradient-ratio`. The transform is for latent targets and is not used.

    Raises:
        ConfigError: the tokenizer does not cut images into patches.
    """
    tokenizer: nn.Module = backbone.tokenizer("main")
    patch, channels = getattr(tokenizer, "patch", None), getattr(tokenizer, "channels", None)
    if not isinstance(patch, int) or not isinstance(channels, int):
        raise ConfigError(f"target: 'gradient-ratio' needs a tokenizer of square patches (sar-patch), not {type(tokenizer).__name__}")
    maker = PatchedMaps(settings, patch)
    return RawFunctionTarget(maker, width=len(settings.radii) * channels * patch**2, once=maker.once if settings.once else None)
