"""Looking into a wheel without installing it: what it says it is, and whether installing it would do more than add a plugin.

A `.pth` file is run by every Python that starts afterwards, before anything of ours; so installing, not importing, is where trust is
decided (a package index distributed such a file in LiteLLM 1.82.8, 2026-03-24).
"""

from __future__ import annotations

import configparser
import email
import hashlib
import importlib.metadata
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from jepakit.errors import PluginError
from jepakit.hookspecs import GROUP
from jepakit.plugin_host.content import content_digest
from jepakit.plugin_host.names import plain
from jepakit.plugin_host.status import normalise

LARGEST_TEXT = 1 << 20
"""Bytes of one metadata file; the largest that we have seen, of a package with thousands of files, has a tenth."""
RUNS_AT_START = ("sitecustomize.py", "usercustomize.py")
"""Modules that Python imports by itself when it starts."""


@dataclass(frozen=True)
class Wheel:
    """One inspected file. sha256: of the file. content: `content_digest` of what it installs. entry_points: of the group `jepakit`."""

    path: Path
    distribution: str
    version: str
    sha256: str
    content: str
    summary: str
    entry_points: tuple[str, ...]


def inspect(path: Path, *, others: bool = False) -> Wheel:
    """What the wheel at `path` is.

    Args:
        others: also look for files that belong to another installed distribution (reads the file lists of all of them).

    Raises:
        PluginError: it is no wheel, lies about its name, leads outside of its folder, runs code whenever Python starts, or would
            overwrite files of another distribution.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
            _check_places(path, names)
            wheel = _read(path, archive, names)
    except (zipfile.BadZipFile, OSError, KeyError, NotImplementedError, RuntimeError, ValueError, configparser.Error) as error:
        raise PluginError(f"{path.name} is not a wheel that can be read: {plain(str(error))[:200]}; download it again") from error
    if others:
        _check_owners(wheel, set(names))
    return wheel


def _read(path: Path, archive: zipfile.ZipFile, names: list[str]) -> Wheel:
    info = _dist_info(path, names)
    metadata = email.message_from_string(_text(archive, f"{info}/METADATA"))
    distribution, version = str(metadata["Name"]), str(metadata["Version"])
    said = path.name.split("-")
    if normalise(said[0]) != normalise(distribution) or said[1] != version.replace("-", "_"):
        raise PluginError(f"{path.name} says inside that it is {plain(distribution)[:60]} {plain(version)[:60]}; don't install it")
    points = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    if f"{info}/entry_points.txt" in names:
        points.read_string(_text(archive, f"{info}/entry_points.txt"))
    return Wheel(
        path=path,
        distribution=normalise(distribution),
        version=version,
        sha256=f"sha256:{file_digest(path)}",
        content=content_digest(_text(archive, f"{info}/RECORD")),
        summary=plain(str(metadata["Summary"] or "")),
        entry_points=tuple(points[GROUP].values()) if points.has_section(GROUP) else (),
    )


def file_digest(path: Path) -> str:
    """sha256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _dist_info(path: Path, names: list[str]) -> str:
    found = {name.split("/")[0] for name in names if name.split("/")[0].endswith(".dist-info")}
    if len(found) != 1 or len(path.name.split("-")) < 5:
        raise ValueError(f"expected NAME-VERSION-PYTHON-ABI-PLATFORM.whl with one .dist-info folder in it, found {len(found)}")
    return found.pop()


def _text(archive: zipfile.ZipFile, name: str) -> str:
    if archive.getinfo(name).file_size > LARGEST_TEXT:
        raise ValueError(f"{name} has more than {LARGEST_TEXT:,} bytes")
    return archive.read(name).decode("utf-8")


def _check_places(path: Path, names: list[str]) -> None:
    for name in names:
        place = PurePosixPath(name.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or ":" in name:
            raise PluginError(f"{path.name} holds '{plain(name)[:80]}', which leads out of its folder; don't install it")
        if place.suffix.lower() == ".pth" or place.name.lower() in RUNS_AT_START:
            raise PluginError(
                f"{path.name} holds '{plain(name)[:80]}': Python runs such a file whenever it starts, plugin or not; it is not installed. "
                "Ask its authors for a wheel without it"
            )


def _check_owners(wheel: Wheel, names: set[str]) -> None:
    for distribution in importlib.metadata.distributions():
        owner = normalise(distribution.name)
        taken = [] if owner == wheel.distribution else [name for file in distribution.files or () if (name := str(file)) in names]
        if taken:
            where = f"'{plain(taken[0])[:80]}' of {owner} {distribution.version}"
            raise PluginError(f"{wheel.path.name} would overwrite {where}; don't install it")
