"""Who may attend to whom in a row: what is there, and what a fixed pattern over channels and time allows."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from jepakit.errors import ContractError

Pattern = Literal["full", "cross", "channel"]
"""full: every token asks every other. cross: a token asks those of its channel and those of its place on the first axis, as in the
cross-pattern attention of Kim 2024 (arXiv 2410.08559). channel: those of its channel alone."""


def allowed(
    pattern: Pattern, coords: Tensor, channel: Tensor | None, valid: Tensor | None = None, *, ahead: int = 0, keys: Tensor | None = None
) -> Tensor | None:
    """The mask of attention in rows of `ahead` prefix tokens, which see and are seen by all, and n others.

    Args:
        coords: (R, n, K), of which the first axis counts for "cross". channel: (R, n), which "full" does not need.
        valid: (R, n) bool or None = all. keys: a mask to go by in place of that of `valid`, broadcastable to (R, 1, m, m), m = ahead + n.

    Returns:
        bool, broadcastable to (R, 1, m, m), True = may be asked; None when all may. Under a pattern a token may always ask itself, so that
        no row is empty.

    Raises:
        ContractError: a pattern without channels, or "cross" without an axis.
    """
    keys = key_mask(valid, ahead) if keys is None else keys
    if pattern == "full":
        return keys
    if channel is None:
        raise ContractError(f"attention '{pattern}' goes by the channel of a token, and these tokens have none; use attention: full")
    same = channel[:, :, None] == channel[:, None, :]
    if pattern == "cross":
        if not coords.shape[-1]:
            raise ContractError("attention 'cross' goes by the first axis of a token, and these tokens have none; use attention: channel")
        same = same | (coords[:, :, None, 0] == coords[:, None, :, 0])
    same = torch.nn.functional.pad(same, (ahead, 0, ahead, 0), value=True)[:, None]
    itself = torch.eye(same.shape[-1], dtype=torch.bool, device=same.device)
    return same if keys is None else (same & keys) | itself


def key_mask(valid: Tensor | None, ahead: int = 0) -> Tensor | None:
    """(R, n) bool → (R, 1, 1, ahead + n) bool for attention; the `ahead` prefix tokens are always visible. None when all tokens are."""
    if valid is None:
        return None
    if ahead:
        valid = torch.nn.functional.pad(valid, (ahead, 0), value=True)
    return valid[:, None, None, :]
