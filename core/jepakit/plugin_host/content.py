"""What a distribution consists of, as one digest: what `plugins freeze` writes down, what `sync` asks for, and what a run remembers."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.metadata import Distribution
from pathlib import Path, PurePosixPath


def content_digest(record: str) -> str:
    """sha256 over what a distribution consists of: paths and digests of RECORD, without what pip adds or changes when it installs.

    The same for a wheel and for what was installed from it, on every machine.
    """
    kept = []
    for line in record.splitlines():
        name, _, rest = line.rpartition(",")[0].rpartition(",")
        place = PurePosixPath(name.strip('"'))
        if rest and place.suffix != ".pyc" and ".." not in place.parts and not place.parts[0].endswith((".dist-info", ".data")):
            kept.append(f"{place},{rest}")
    return "sha256:" + hashlib.sha256("\n".join(sorted(kept)).encode()).hexdigest()


def content_now(distribution: Distribution) -> str:
    """`content_digest` of the files that RECORD names, as they lie on disk now: the same until somebody edits or removes one."""
    lines = []
    for file in distribution.files or ():
        path = Path(str(file.locate()))
        if file.hash is not None and path.is_file():
            digest = hashlib.new(file.hash.mode, path.read_bytes()).digest()
            lines.append(f"{file},{file.hash.mode}={base64.urlsafe_b64encode(digest).decode().rstrip('=')},{file.size}")
    return content_digest("\n".join(lines))


def is_editable(distribution: Distribution) -> bool:
    """Whether it is installed from a folder that may change (PEP 610)."""
    try:
        said = json.loads(distribution.read_text("direct_url.json") or "{}")
    except json.JSONDecodeError:
        return False
    return bool(isinstance(said, dict) and said.get("dir_info", {}).get("editable"))
