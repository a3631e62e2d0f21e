"""`--ranks N`: the other processes of a run, started here and ended with it.

This process is rank 0. The others run the same command line quietly; what one of them dies of is said here, and nothing else of it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jepakit.errors import RankLost, UsageError

MEETING = "JEPAKIT_RANKS_AT"
"""As in jepakit.train.ranks, which imports torch."""
FAREWELL = 20.0
"""Seconds that the other ranks have to end after this one has; a last step is being left, nothing is being written."""


@dataclass(frozen=True)
class Other:
    """One of the other processes, and the file that its errors go to."""

    number: int
    process: subprocess.Popen[bytes]
    errors: Path

    def said(self) -> str:
        """The last line of its errors."""
        lines = self.errors.read_text(errors="replace").splitlines()
        if lines:
            return lines[-1].removeprefix("error: ")
        code = self.process.returncode
        return f"it was ended by signal {-code}; 9 is often a want of memory" if code < 0 else f"it ended with exit code {code} and no word"


@contextmanager
def others(ranks: int, arguments: Sequence[str]) -> Iterator[None]:
    """Makes this process rank 0 of `ranks` while the block runs; `jepakit` with `arguments` is what the others run.

    Raises:
        UsageError: there are ranks already, by torchrun.
        RankLost: one of them ended before the block did; the sentence is its own.
    """
    if ranks == 1:
        yield
        return
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise UsageError(
            f"--ranks {ranks} inside torchrun, which has started {os.environ['WORLD_SIZE']} processes; leave one of the two out"
        )
    with tempfile.TemporaryDirectory(prefix="jepakit-ranks-") as folder:
        shared = {
            "WORLD_SIZE": str(ranks),
            "LOCAL_WORLD_SIZE": str(ranks),
            MEETING: f"file://{folder}/meeting",
        }
        team = [start(number, arguments, shared, Path(folder)) for number in range(1, ranks)]
        try:
            with environment(shared | {"RANK": "0", "LOCAL_RANK": "0"}):
                yield
        except RankLost as error:
            raise cause(team, error) from error
        finally:
            end(team)


def own_rank() -> int:
    """Number of this process among those that train together; torchrun and `--ranks` say so in the environment."""
    return int(os.environ.get("RANK", 0)) if int(os.environ.get("WORLD_SIZE", 1)) > 1 else 0


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """With these variables until the block ends."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def start(number: int, arguments: Sequence[str], shared: dict[str, str], folder: Path) -> Other:
    """Rank `number`, running."""
    errors = folder / f"errors-{number}"
    with errors.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "jepakit", *arguments],
            env=os.environ | shared | {"RANK": str(number), "LOCAL_RANK": str(number)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=file,
        )
    return Other(number, process, errors)


def cause(team: Sequence[Other], error: RankLost) -> RankLost:
    """What the first of them to have failed died of; `error` itself where none has."""
    for other in team:
        try:
            code = other.process.wait(timeout=FAREWELL)
        except subprocess.TimeoutExpired:
            continue
        if code and "another process of this run has ended" not in other.said():
            return RankLost(f"process {other.number} of this run: {other.said()}", code if code > 0 else 1)
    return error


def end(team: Sequence[Other]) -> None:
    """Waits for all of them, and kills who does not come."""
    for other in team:
        try:
            other.process.wait(timeout=FAREWELL)
        except subprocess.TimeoutExpired:
            other.process.kill()
            other.process.wait()
