"""Wheels made by hand: a few files in a zip, with the metadata that pip wants."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

PLUGIN = """
from jepakit.sdk import ComponentSpec, hookimpl
API = 1
@hookimpl
def register_components():
    return [ComponentSpec("masker", "{name}", "{module}:Thing", summary="a toy")]
"""


def make_wheel(
    folder: Path,
    distribution: str,
    version: str = "1.0",
    *,
    files: Mapping[str, str] | None = None,
    requires: tuple[str, ...] = (),
    plugin: bool = True,
    says: str = "",
) -> Path:
    """A wheel of `distribution` in `folder`: a healthy plugin, `files` beside it. says: the name in its metadata, if another."""
    module = distribution.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {name}\n" for name in requires)
    inside = {f"{module}.py": PLUGIN.format(name=module.replace("_", "-"), module=module)} if plugin else {f"{module}.py": "x = 1\n"}
    inside |= files or {}
    inside |= {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {says or distribution}\nVersion: {version}\nSummary: a toy\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if plugin:
        inside[f"{info}/entry_points.txt"] = f"[jepakit]\nmain = {module}\n"
    rows = [f"{name},sha256={_digest(text)},{len(text.encode())}" for name, text in inside.items()]
    inside[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in inside.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), text)
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
