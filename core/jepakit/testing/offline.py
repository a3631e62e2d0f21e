"""Hearing a component that reaches for the network: a run must not depend on one, and data must not leave the machine unasked.

Python tells audit hooks of every connection and every look-up of a host name (PEP 578). A hook can't be taken out again, so there is one
a process, made when it is first needed and deaf outside `no_network`.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Iterator

EVENTS = ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname")


class NoNetwork(OSError):
    """What reaching for the network ends in while a check runs, as it would on a machine without one."""


class _Ear:
    """reached: places asked for since it last began to listen."""

    def __init__(self) -> None:
        self.listening, self.reached = False, list[str]()
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.listening or event not in EVENTS:
            return
        place = arguments[-1] if event in ("socket.connect", "socket.sendto") else arguments[0]
        if isinstance(place, str | bytes) and event in ("socket.connect", "socket.sendto"):
            return  # a socket of this machine's own, such as data workers use
        self.reached.append(str(place[0] if isinstance(place, tuple) else place))
        raise NoNetwork(f"no network is reached while a plugin is checked, and {self.reached[-1]} was asked for")


@functools.cache
def _ear() -> _Ear:
    return _Ear()


@contextlib.contextmanager
def no_network() -> Iterator[list[str]]:
    """Inside, every connection fails with `NoNetwork`; gives the list of hosts that were asked for, also by code that hid its failure."""
    ear = _ear()
    ear.listening, ear.reached = True, []
    try:
        yield ear.reached
    finally:
        ear.listening = False
