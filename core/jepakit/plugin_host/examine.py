"""One plugin examined from outside: a probe in another process, under a deadline, and its report in sentences with remedies."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jepakit.plugin_host.footprint import TOLERATED

PATIENCE = 10
"""Deadlines that a plugin may take by the clock while it computes: on a busy machine it waits for its turn, which is no hang."""
SLOW_SECONDS = 0.15
"""What a light module may take to import; `jepakit --help` pays it for every plugin."""
DEBIAN = {
    "libusb-1.0.so.0": "libusb-1.0-0", "libGL.so.1": "libgl1", "libEGL.so.1": "libegl1", "libgomp.so.1": "libgomp1",
    "libsndfile.so.1": "libsndfile1", "libglib-2.0.so.0": "libglib2.0-0", "libgthread-2.0.so.0": "libglib2.0-0", "libX11.so.6": "libx11-6",
    "libSM.so.6": "libsm6", "libICE.so.6": "libice6", "libXext.so.6": "libxext6", "libXrender.so.1": "libxrender1",
    "libhdf5_serial.so.103": "libhdf5-103-1", "libportaudio.so.2": "libportaudio2", "libOpenCL.so.1": "ocl-icd-libopencl1",
    "libstdc++.so.6": "libstdc++6", "libasound.so.2": "libasound2",
}  # fmt: skip
"""Shared libraries that Python wheels expect of the system → the Debian (and Ubuntu) package that brings them."""
_LIBRARY = re.compile(r"([\w.+-]+\.so[\w.]*): cannot open shared object file")


@dataclass(frozen=True)
class Problem:
    """kind: one word to match on. text: what is wrong. remedy: what to do."""

    kind: str
    text: str
    remedy: str


@dataclass(frozen=True)
class Examination:
    """Everything about one entry point. seconds: of importing its light module, None when that did not end."""

    distribution: str
    version: str
    entry_point: str
    problems: tuple[Problem, ...]
    seconds: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def examine(distribution: str, version: str, entry_point: str, deadline: float) -> Examination:
    """Imports one plugin in another process; at the deadline (in seconds of computing) that process and all it started are killed."""
    with tempfile.TemporaryDirectory() as folder:
        report, out, err = (Path(folder) / name for name in ("report.json", "out", "err"))
        command = [sys.executable, "-m", "jepakit.plugin_host.probe", distribution, entry_point, str(report)]
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True)
            code = _exit_code(process, deadline)
            left = _kill_group(process)
        found: dict[str, Any] = {"imports": [], "wrong": "", "finished": False}
        if report.is_file():
            found = json.loads(report.read_text(encoding="utf-8"))
        printed, said = (path.read_text(encoding="utf-8", errors="replace") for path in (out, err))
    problems = [*_pth(distribution), *_ended(found, code, said, deadline), *_said(found), *_printed(printed)]
    if left and not any(problem.kind == "acts" for problem in problems):
        problems.append(
            Problem("acts", "a process that it started was still there when it was done", f"tell the authors of {distribution}")
        )
    return Examination(distribution, version, entry_point, tuple(problems), found["imports"][0]["seconds"] if found["imports"] else None)


def _exit_code(process: subprocess.Popen[bytes], deadline: float) -> int | None:
    """None when it hangs: it computed for the deadline, or hardly computed until then. It has said by then where it stands."""
    start = time.monotonic()
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(deadline / 20)
        passed = time.monotonic() - start
        computed = _computed(process.pid, passed)
        if computed >= deadline or passed >= PATIENCE * deadline or (passed >= deadline and computed < deadline / PATIENCE):
            process.send_signal(signal.SIGUSR1)  # the probe answers with its stack
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
            return None


def _computed(pid: int, passed: float) -> float:
    """Seconds of processor time that a process has had; the time that passed where the system does not tell."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return passed
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime, fields 14 and 15 of proc(5)


def _kill_group(process: subprocess.Popen[bytes]) -> bool:
    """Ends what is left of the probe and its children; whether any of them was left after the probe itself."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
        ended = process.poll() is not None
        process.wait()
        return ended
    return False


def _ended(found: Mapping[str, Any], code: int | None, said: str, deadline: float) -> Iterator[Problem]:
    done = [one["what"] for one in found["imports"]]
    during = f"after {done[-1]}" if done else "while its module was imported"
    if code is None:
        stack = re.findall(r'File "([^"]+)", line (\d+) in (\S+)', said)
        outside = [place for place in stack if not place[0].startswith("<") and "importlib" not in place[0]]
        where = f", standing at {outside[0][0]}, line {outside[0][1]}" if outside else ""
        yield Problem(
            "hang", f"it was not done after {deadline:g} seconds ({during}){where}", "uninstall it, or give more time by --deadline"
        )
    elif code < 0:
        yield Problem("crash", f"it ended the interpreter by {signal.Signals(-code).name} ({during})", _native_remedy(said))
    elif not found["finished"]:
        last = (said.strip().splitlines() or [f"exit code {code}"])[-1]
        yield Problem("exit", f"it ended the interpreter ({during}): {last}", "uninstall it, and tell its authors")


def _said(found: Mapping[str, Any]) -> Iterator[Problem]:
    for number, one in enumerate(found["imports"]):
        what = one["what"]
        if one["error"]:
            yield _import_problem(what, one)
        for name in (name for name in one["changed"] if number == 0 or name not in TOLERATED):
            yield Problem(
                "state", f"importing {what} changes {name}, for everybody in the process", "an import must change nothing; tell its authors"
            )
        for act in one["acts"]:
            yield Problem("acts", f"importing {what} {act}", "an import must not act; tell its authors")
        if one["threads"]:
            yield Problem(
                "threads",
                f"importing {what} leaves threads: {', '.join(one['threads'])}",
                "start them when they are used; tell its authors",
            )
        if number == 0 and one["heavy"]:
            yield Problem(
                "heavy", f"importing {what} loads torch, so every command pays for it", "import torch in the modules of components only"
            )
        elif number == 0 and one["seconds"] > SLOW_SECONDS and not one["error"]:
            yield Problem(
                "slow",
                f"importing {what} takes {1000 * one['seconds']:.0f} ms, {1000 * SLOW_SECONDS:.0f} are allowed",
                "move imports into components",
            )
    if found["wrong"]:
        yield Problem("invalid", found["wrong"], "see `jepakit plugins list`")


def _import_problem(what: str, one: Mapping[str, Any]) -> Problem:
    text = f"{what} can't be imported: {one['error']}"
    if library := _LIBRARY.search(one["error"]):
        return Problem("library", text, _library_remedy(library[1]))
    if one["missing"] and one["missing"] != what.partition(".")[0].partition(":")[0]:
        return Problem("package", text, f"pip install {one['missing']}")
    return Problem("import", text, "update or uninstall it")


def _library_remedy(library: str) -> str:
    package = DEBIAN.get(library)
    return f"apt install {package}" if package else f"install the system package that holds {library} (apt-file search {library})"


def _native_remedy(said: str) -> str:
    library = _LIBRARY.search(said)
    return _library_remedy(library[1]) if library else "a native library of it does not fit this machine; reinstall it, or uninstall it"


def _printed(text: str) -> Iterator[Problem]:
    if text.strip():
        first = text.strip().splitlines()[0][:80]
        yield Problem(
            "prints", f"it prints when it is imported: {first!r}", "an import must print nothing: it breaks --json; tell its authors"
        )


def _pth(distribution: str) -> Iterator[Problem]:
    """Files that Python runs at every start, before anybody can look. An editable install has one of its own."""
    found = importlib.metadata.distribution(distribution)
    if '"editable": true' in (found.read_text("direct_url.json") or ""):
        return
    for file in found.files or ():
        if file.suffix == ".pth":
            yield Problem(
                "pth", f"it installed {file}, which Python runs at every start", f"pip uninstall {distribution}, and tell its authors"
            )
