"""How far a run is: progress from 0 to 1, the one thing that schedules, maskers and views depend on beside the step.

With a number of steps progress is step / total. With minutes, total is an estimate that is made anew when the machine turns out
faster or slower; progress then goes on from where it is, so no schedule ever jumps. What was estimated is kept in checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Horizon:
    """Progress is `start_progress` at `start_step` and rises in a straight line to 1 at `total`, counted in optimiser steps."""

    total: int
    start_step: int = 0
    start_progress: float = 0.0

    def progress(self, step: int) -> float:
        """Share of the run done after `step` optimiser steps, in [0, 1]."""
        if step >= self.total:
            return 1.0
        share = (step - self.start_step) / (self.total - self.start_step)
        return self.start_progress + (1.0 - self.start_progress) * min(1.0, max(0.0, share))

    def virtual_step(self, step: int) -> int:
        """The step at which a run of `total` steps in a straight line would be as far; what schedules are asked with."""
        return min(self.total, round(self.progress(step) * self.total))

    def moved(self, step: int, total: int) -> Horizon:
        """The same progress at `step`, but 1 is reached at `total`."""
        return replace(self, total=max(total, step + 1), start_step=step, start_progress=self.progress(step))
