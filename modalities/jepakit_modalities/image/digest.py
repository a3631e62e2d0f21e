"""A short digest of a data set, fast enough to be taken at every start."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np

PROBED, HEAD = 64, 1 << 16
"""Files that are looked into, and bytes read of each: 4 MiB in all, whatever the size of the set."""


def digest(files: Sequence[Path], names: Sequence[str]) -> str:
    """Changes when a file is added, renamed, moved or resized, or when the start of one of 64 evenly spread files changes."""
    made = blake2b(digest_size=16)
    for path, name in zip(files, names):
        made.update(f"{name}\x1f{path.stat().st_size}\x1f".encode())
    for number in np.unique(np.linspace(0, len(files) - 1, PROBED).round().astype(int)):
        with files[number].open("rb") as file:
            made.update(file.read(HEAD))
    return made.hexdigest()
