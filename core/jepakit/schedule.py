"""Schedules: pure functions of (step, total), never counters, so that resuming needs no state and any step can be asked for.

`step` is the number of optimiser steps done, 0 for the first one to take; `total` the planned number. A schedule reaches its final
value at step = total and stays there.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from jepakit.errors import ConfigError
from jepakit.settings import Settings


def linear(step: int, total: int, *, start: float, end: float) -> float:
    """A straight line from `start` at step 0 to `end` at `total`."""
    return start + (end - start) * _share(step, total)


def cosine(step: int, total: int, *, start: float, end: float) -> float:
    """Half a cosine from `start` at step 0 to `end` at `total` (SGDR, arXiv 1608.03983, eq. 5, without restarts)."""
    return end + (start - end) * (1 + math.cos(math.pi * _share(step, total))) / 2


def warmup_cosine(step: int, total: int, *, warmup: int, peak: float, final: float) -> float:
    """`warmup` steps up in a straight line (peak / warmup, 2 peak / warmup, ..., peak), then half a cosine down to `final`."""
    if step < warmup:
        return _rise(step, warmup, peak)
    return cosine(step - warmup, total - warmup, start=peak, end=final)


def warmup_constant_cooldown(step: int, total: int, *, warmup: int, cooldown: int, peak: float, final: float) -> float:
    """Up as in `warmup_cosine`, level at `peak`, down in a straight line to `final` over the last `cooldown` steps.

    As in V-JEPA 2 (arXiv 2506.09985, sec. 2): a run can be prolonged from any checkpoint before the cooldown.
    """
    if step < warmup:
        return _rise(step, warmup, peak)
    return linear(step - (total - cooldown), cooldown, start=peak, end=final)


def _rise(step: int, warmup: int, peak: float) -> float:
    return peak * (step + 1) / warmup


def _share(step: int, total: int) -> float:
    return min(1.0, max(0.0, step / total)) if total > 0 else 1.0


class ScheduleSettings(Settings):
    """How a rate goes over the run. `warmup` and `cooldown`: a share of the steps below 1, a number of steps from 1 on."""

    kind: Literal["cosine", "constant-cooldown", "constant"] = "cosine"
    warmup: float = Field(0.1, ge=0)
    cooldown: float = Field(0.2, ge=0)
    final: float = Field(0.01, ge=0)
    """Last value as a factor of the peak."""

    def value(self, step: int, total: int, peak: float) -> float:
        """The rate for optimiser step number `step` of `total`."""
        warmup, final = _steps(self.warmup, total), self.final * peak
        if self.kind == "cosine":
            return warmup_cosine(step, total, warmup=warmup, peak=peak, final=final)
        cooldown = min(_steps(self.cooldown, total), total - warmup) if self.kind == "constant-cooldown" else 0
        if cooldown:
            return warmup_constant_cooldown(step, total, warmup=warmup, cooldown=cooldown, peak=peak, final=final)
        return _rise(step, warmup, peak) if step < warmup else peak


def _steps(amount: float, total: int) -> int:
    return min(total, round(amount * total if amount < 1 else amount))


HALF_LIFE = 0.07
"""Share of the planned steps, at the start. Measured: 5-10 % lets a target encoder leave its initialisation in short runs."""
SLOWING = 10.0
"""How many times longer the half-life is at the end: as .99 to .999, measured good over 900 steps. Faster targets collapsed: with a
half-life of 3 to 35 steps at a learning rate of 1e-3 all embeddings were one and the same after 80 steps."""
LARGEST_MOMENTUM = 0.9999
"""Final momentum of data2vec for speech and text (arXiv 2202.03555): a half-life of 6,931 steps, enough for plans of any length."""


def ema_momentum(step: int, total: int, *, start: float | None = None, end: float | None = None, half_life: float = HALF_LIFE) -> float:
    """Momentum m of target <- m target + (1 - m) online, after optimiser step number `step` of `total`.

    A straight line from `start` to `end`, as in I-JEPA (arXiv 2301.08243, app. A: 0.996 to 1); `start` alone: constant. Those numbers
    are made for 10^5 steps; at 10^2 or 10^3 steps the target encoder would never leave its initialisation. So without them both follow
    from the planned steps:

        start = 0.5 ** (1 / h),    end = 0.5 ** (1 / (10 h)),    h = max(1, half_life * total),    both <= LARGEST_MOMENTUM

    h is the half-life in steps: what was learned h steps ago counts half of what is learned now.
    """
    if start is None and end is not None:
        raise ConfigError("ema_momentum: 'end' without 'start'; give both, 'start' alone for a constant, or neither")
    if start is None:
        steps = max(1.0, half_life * total)
        start, end = (min(LARGEST_MOMENTUM, math.pow(0.5, 1 / span)) for span in (steps, SLOWING * steps))
    return linear(step, total, start=start, end=start if end is None else end)
