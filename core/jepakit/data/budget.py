"""Limits that every reader keeps to, checked on declared sizes before anything is allocated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jepakit.errors import DataError


@dataclass(frozen=True)
class ReadBudget:
    """How much one file may ask for. The defaults hold any real data set of a workstation and stop decompression bombs.

    max_file_bytes: of one file. max_decoded_bytes: of one decoded sample. max_pixels: of one image. max_ratio: decoded over stored
    bytes of an archive member (200 MB of zeros zip to 0.2 MB, a ratio of 1000; real recordings stay below 20). max_samples: of one
    source, whose ids and labels are kept in memory.
    """

    max_file_bytes: int = 64 << 30
    max_decoded_bytes: int = 4 << 30
    max_pixels: int = 200_000_000
    max_ratio: float = 200.0
    max_samples: int = 100_000_000

    def check_file(self, path: Path) -> None:
        """DataError when the file is larger than allowed."""
        size = path.stat().st_size
        if size > self.max_file_bytes:
            raise DataError(f"{path}: {size} bytes, more than the {self.max_file_bytes} allowed; split it or raise the budget")

    def check_pixels(self, name: str, width: int, height: int) -> None:
        """DataError when an image declares more pixels than allowed."""
        if width * height > self.max_pixels:
            raise DataError(f"{name}: {width} x {height} pixels, more than the {self.max_pixels} allowed; tile it first")

    def check_decoded(self, name: str, decoded: int, stored: int) -> None:
        """DataError when an archive member would unpack to more than allowed, or suspiciously much of it."""
        if decoded > self.max_decoded_bytes:
            raise DataError(f"{name}: unpacks to {decoded} bytes, more than the {self.max_decoded_bytes} allowed; split it")
        self.check_ratio(name, decoded, stored)

    def check_ratio(self, name: str, decoded: int, stored: int) -> None:
        """DataError when something small would unpack to suspiciously much; up to 64 MiB nothing is suspicious."""
        if decoded > self.max_ratio * max(stored, 1) and decoded > 64 << 20:
            raise DataError(
                f"{name}: unpacks to {decoded} bytes from {stored}, a ratio above {self.max_ratio:g}; refused as a decompression bomb"
            )

    def check_samples(self, name: str, count: int) -> None:
        """DataError when a source declares more samples than allowed."""
        if count > self.max_samples:
            raise DataError(f"{name}: declares {count} samples, more than the {self.max_samples} allowed; split it or check the file")
