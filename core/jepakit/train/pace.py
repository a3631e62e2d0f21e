"""How fast a run goes: samples a second, time left, when to save, and, when minutes were asked for, how many steps fit.

Only the monotonic clock is read. With a fixed number of steps nothing here touches what is computed.
"""

from __future__ import annotations

import time

from jepakit.horizon import Horizon

REPLAN_SECONDS = 5.0
"""How often the number of steps that fit is estimated anew."""
TOLERANCE = 0.02
"""Changes of the total smaller than this are left alone."""
FIRST_STEPS = 3
"""Steps before the first estimate: the very first ones warm caches and allocators."""


class Pace:
    """One clock for one run."""

    def __init__(self, minutes: float | None, step: int) -> None:
        self.budget = None if minutes is None else 60.0 * minutes
        self.first_step = step
        self.started = self.planned = self.saved = self.logged = time.monotonic()
        self.logged_step = step

    def replan(self, horizon: Horizon, step: int) -> Horizon:
        """The horizon that ends with the budget of time, from the speed since the start; unchanged without a budget."""
        now = time.monotonic()
        done = step - self.first_step
        if self.budget is None or done < FIRST_STEPS or (now - self.planned < REPLAN_SECONDS and done > FIRST_STEPS):
            return horizon
        self.planned = now
        left = self.budget - (now - self.started)
        total = step + max(0, round(left * done / (now - self.started)))
        return horizon if abs(total - horizon.total) < TOLERANCE * horizon.total and left > 0 else horizon.moved(step, total)

    def numbers(self, step: int, total: int, batch: int) -> dict[str, float]:
        """samples_per_s since the last call, elapsed_s and eta_s."""
        now = time.monotonic()
        seconds = max(now - self.logged, 1e-9) / max(step - self.logged_step, 1)
        self.logged, self.logged_step = now, step
        return {"samples_per_s": batch / seconds, "elapsed_s": now - self.started, "eta_s": (total - step) * seconds}

    def save_due(self, minutes: float) -> bool:
        """Whether a checkpoint is due; says yes once every `minutes`."""
        now = time.monotonic()
        if now - self.saved < 60.0 * minutes:
            return False
        self.saved = now
        return True
