"""Being asked to stop: the first signal only sets a flag, so that the loop saves a checkpoint; the second one ends the process."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

STOPPING = (signal.SIGTERM, signal.SIGINT)


class StopSignal:
    """Watches SIGTERM and SIGINT while the `with` block runs and puts the former handlers back after it.

    requested: number of the first signal, or None. Poll it wherever the run may spend more than a second: steps, evaluation, waiting
    for data. Outside the main thread, where Python allows no handlers, it stays None.
    """

    def __init__(self) -> None:
        self.requested: int | None = None
        self._former: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._former = {number: signal.signal(number, self._receive) for number in STOPPING}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._former.items():
            # None: the handler was not set from Python, so it can't be put back; the default is the closest
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._former = {}

    @property
    def exit_code(self) -> int:
        """What a shell expects of a process that this signal ended: 143 for SIGTERM, 130 for SIGINT; 0 when none came."""
        return 0 if self.requested is None else 128 + self.requested

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.requested is not None:
            # no clean-up: whoever asks twice wants it now, and a checkpoint that is being written is safe to abandon
            os._exit(128 + number)
        self.requested = number
