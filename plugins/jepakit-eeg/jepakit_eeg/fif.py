"""Whether the tags of a FIF file lead to its end. MNE follows them without counting: a damaged link is a loop that takes all memory."""

from __future__ import annotations

import struct
from pathlib import Path

from jepakit.sdk import DataError

HEADER = struct.Struct(">iIii")
"""Kind, type, bytes of data and link of a tag: 0 = the next tag follows, above 0 = it stands there, -1 = this is the last."""


def check_fif(file: Path) -> None:
    """DataError when following the tags comes back to one that was seen. What else may be wrong is left to MNE."""
    seen: set[int] = set()
    position = 0
    with file.open("rb") as stream:
        while position not in seen:
            seen.add(position)
            stream.seek(position)
            head = stream.read(HEADER.size)
            if len(head) < HEADER.size:
                return
            _, _, size, link = HEADER.unpack(head)
            position = link if link > 0 else position + HEADER.size + size
            if link < 0 or position < 0:
                return
    raise DataError(f"{file}: not a readable FIF file (its tags lead back to byte {position}); it is damaged, take another copy")
