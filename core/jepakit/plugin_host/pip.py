"""The only place that starts pip. Every command is a list of arguments, never a line for a shell.

What comes from outside reaches such a list as a `Pinned` (a name and a version by the rules) or as the path of a file that was
inspected; everything else in it stands here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jepakit.errors import PluginError
from jepakit.plugin_host.names import Pinned, plain

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
WHEELS_ONLY = ("--only-binary", ":all:")
"""An sdist runs code of its author to become a wheel; a wheel is only unpacked."""
MINUTES = 30
"""A plugin with large dependencies on a slow line."""


@dataclass(frozen=True)
class Source:
    """Where wheels come from: the index that pip is set up for, or `folder` alone."""

    folder: Path | None = None

    def arguments(self) -> list[str]:
        """What tells pip so."""
        return [] if self.folder is None else ["--no-index", "--find-links", str(self.folder.resolve())]


def resolve_command(wanted: Sequence[Pinned | Path], source: Source, constraints: Path) -> list[str]:
    """Say what would be installed, as JSON on standard output; install nothing."""
    what = [str(item.resolve()) if isinstance(item, Path) else str(item) for item in wanted]
    options = ["--dry-run", "--quiet", "--report", "-", "--constraint", str(constraints)]
    return [*PIP, "install", *options, *WHEELS_ONLY, *source.arguments(), "--", *what]


def download_command(wanted: Sequence[Pinned], source: Source, folder: Path) -> list[str]:
    """Fetch exactly these wheels and nothing that they need."""
    return [*PIP, "download", "--quiet", "--no-deps", "--dest", str(folder), *WHEELS_ONLY, *source.arguments(), "--", *map(str, wanted)]


def install_command(lock: Path) -> list[str]:
    """Install the files named in `lock`, each with its digest, and nothing else: no index is asked, no dependency added.

    They replace what is here even under the same version: only files that have to be installed are in the lock.
    """
    return [*PIP, "install", "--no-index", "--no-deps", "--force-reinstall", "--require-hashes", *WHEELS_ONLY, "--requirement", str(lock)]


def run(command: Sequence[str], folder: Path) -> str:
    """What pip wrote, working in `folder`. PluginError with what pip said when it fails."""
    try:
        done = subprocess.run(
            list(command), cwd=folder, capture_output=True, text=True, errors="replace", timeout=60 * MINUTES, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PluginError(f"pip did not run to its end: {type(error).__name__}; try again, or run it by hand") from error
    if done.returncode:
        raise PluginError(_complaint(done.stderr or done.stdout))
    return done.stdout


def to_install(report: str) -> list[dict[str, Any]]:
    """The entries "install" of pip's report (its installation report, version 1)."""
    try:
        found: list[dict[str, Any]] = json.loads(report)["install"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise PluginError("pip's report can't be read; jepakit needs pip 23.0 or newer: pip install --upgrade pip") from error
    return found


def _complaint(said: str) -> str:
    if "No module named pip" in said:
        return "this environment has no pip; install it: python -m ensurepip"
    lines = [line.partition("ERROR: ")[2] or line.strip() for line in said.splitlines() if line.strip()]
    marked = [line.partition("ERROR: ")[2] for line in said.splitlines() if "ERROR: " in line]
    return "pip refuses: " + plain("; ".join((marked or lines)[:4]))[:600]
