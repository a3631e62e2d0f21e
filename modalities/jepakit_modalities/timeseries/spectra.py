"""What a patch says of how often things happen in it: the power at its lowest frequencies, of its values or of its envelope."""

from __future__ import annotations

import torch
from torch import Tensor, nn

VALUES_FLOOR, ENVELOPE_FLOOR = 1e-6, 1e-3
"""Added to the power before its logarithm. The envelope's is higher: of a patch without events it is noise of the recorder.
Ours, for values of spread 1; not tuned."""


def log_power(patches: Tensor, known: Tensor, bins: int, *, envelope: bool) -> Tensor:
    """(..., p) values and which of them are known → (..., bins) logarithm of the power under a Hann window, lowest frequency first."""
    if envelope:
        patches = slopes(patches, known)
    window = torch.hann_window(patches.shape[-1], device=patches.device)
    power = torch.view_as_real(torch.fft.rfft(patches * window)).square().sum(-1)[..., :bins]
    return (power + (ENVELOPE_FLOOR if envelope else VALUES_FLOOR)).log()


def slopes(patches: Tensor, known: Tensor) -> Tensor:
    """(..., p) → (..., p) size of the change to the next step, minus its mean; 0 beside gaps, and nothing of another patch is read.

    Steep events stand out, whatever their shape and sign, so the spectrum has a line at the rate at which they come: the envelope
    spectrum of machine diagnosis, and a step of QRS detectors (Pan and Tompkins 1985, there squared).
    """
    change = patches.diff(dim=-1).abs()
    pairs = known[..., 1:] & known[..., :-1]
    mean = (change * pairs).sum(-1, keepdim=True) / pairs.sum(-1, keepdim=True).clamp_min(1)
    return nn.functional.pad(torch.where(pairs, change - mean, 0.0), (0, 1))
