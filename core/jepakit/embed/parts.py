"""Embeddings on their way to a file: numbered parts in a folder beside it, each written at once, so that a kill loses one part at most.

```
OUT.parts/  manifest.json        what the parts were made of: going on with other weights, data or options is refused
            part-00000000.parquet    samples 0 … 2047
            part-00000001.parquet
```
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jepakit import disk
from jepakit.errors import JepakitError

MANIFEST = "manifest.json"
MANIFEST_LIMIT = 1 << 20


class Parts:
    """The parts of one output. `made` says which of them are there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, said: Mapping[str, Any]) -> bool:
        """Start, or go on with parts of the same making (then True); JepakitError when they were made of something else."""
        if not (self.folder / MANIFEST).exists():
            self.folder.mkdir(exist_ok=True)
            disk.replace_file(self.folder / MANIFEST, json.dumps(dict(said)).encode())
            return False
        found = self._manifest()
        changed = [key for key in said if found.get(key) != json.loads(json.dumps(said[key]))]
        if changed:
            raise JepakitError(
                f"{self.folder} was begun with another {', '.join(changed)}; finish it as it was begun, or delete it and start anew"
            )
        return True

    def _manifest(self) -> dict[str, Any]:
        try:
            found = json.loads(disk.read_file(self.folder / MANIFEST, limit=MANIFEST_LIMIT))
        except (OSError, ValueError) as error:
            raise JepakitError(f"{self.folder / MANIFEST} can't be read ({error}); delete {self.folder} and start anew") from error
        return found if isinstance(found, dict) else {}

    def path(self, number: int) -> Path:
        """Where part `number` is, or will be."""
        return self.folder / f"part-{number:08d}.parquet"

    def has(self, number: int) -> bool:
        """Whether that part is whole: a part gets its name when its last byte is on the disk."""
        return self.path(number).exists()

    def write(self, number: int, table: pa.Table) -> None:
        """One part, at once."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        disk.replace_file(self.path(number), sink.getvalue().to_pybytes())

    def tables(self, count: int, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """The first `count` parts, one at a time."""
        for number in range(count):
            try:
                yield pq.read_table(self.path(number), columns=columns)
            except (OSError, pa.ArrowInvalid) as error:
                raise JepakitError(f"{self.path(number)} is damaged ({error}); delete it and run the command again") from error

    def remove(self) -> None:
        """Delete the folder, when all is in the output."""
        disk.remove_folder(self.folder)
