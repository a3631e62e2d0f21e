"""Images cut into square patches, one row a patch, in the order of the tokens."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor


def patches(images: Tensor, extent: Tensor | None, patch: int) -> Tensor:
    """(B, C, H, W) → (B, N, C * patch * patch), raster order; pixels at the lower and right edge that fill no patch are left out.

    extent: (B, 3) true sizes of images of different sizes, of which each is cut by itself, with zeros behind its last patch; or None.
    """
    if extent is None:
        return cut(images, patch)
    parts = [cut(image[None, :, : size[1], : size[2]], patch)[0] for image, size in zip(images, extent.tolist())]
    return torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)


def cut(images: Tensor, patch: int) -> Tensor:
    """The same for images of one size."""
    rows, columns = images.shape[2] // patch, images.shape[3] // patch
    whole = images[:, :, : rows * patch, : columns * patch]
    return rearrange(whole, "b c (h p) (w q) -> b (h w) (c p q)", p=patch, q=patch)
