from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from jepakit.train.signals import StopSignal


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_first_signal_only_sets_a_flag(number: signal.Signals, code: int) -> None:
    with StopSignal() as stop:
        assert (stop.requested, stop.exit_code) == (None, 0)
        os.kill(os.getpid(), number)
        assert (stop.requested, stop.exit_code) == (number, code)


def test_former_handlers_come_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with StopSignal():
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] != before
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    with pytest.raises(RuntimeError, match="out"), StopSignal():
        raise RuntimeError("out")
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


@pytest.mark.parametrize(("second", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_the_second_signal_ends_the_process_at_once(second: str, code: int) -> None:
    program = f"""
import os, signal
from jepakit.train.signals import StopSignal
with StopSignal() as stop:
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.requested == signal.SIGTERM
    os.kill(os.getpid(), signal.{second})
    os._exit(1)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == code


def test_outside_the_main_thread_it_does_nothing() -> None:
    seen: list[int | None] = []

    def watch() -> None:
        with StopSignal() as stop:
            seen.append(stop.requested)

    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    assert seen == [None]
