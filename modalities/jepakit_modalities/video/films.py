"""One film, wherever it lies: how many frames it has, how fast they come, and any of them on request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np

from jepakit.sdk import DataError, ReadBudget
from jepakit_modalities.image.decode import decode_file

BUDGET = ReadBudget()
SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v", ".gif"})
"""Files that FFmpeg is asked about. An animated GIF in a folder of frames would be an image: folders of frames are looked for first."""


class Film(ABC):
    """Frames (C, H, W) of one dtype, numbered from 0. rate: frames a second, or None when nobody knows."""

    name: str
    rate: float | None

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def frames(self, numbers: Sequence[int]) -> list[np.ndarray]:
        """The frames with these rising numbers, (C, H, W) each. DataError for what can't be read."""


@final
class FrameFilm(Film):
    """A folder of numbered images, in the order of their names, digits read as numbers."""

    def __init__(self, name: str, files: Sequence[Path]) -> None:
        self.name, self.files, self.rate = name, files, None

    def __len__(self) -> int:
        return len(self.files)

    def frames(self, numbers: Sequence[int]) -> list[np.ndarray]:
        return [decode_file(self.files[number]) for number in numbers]


@final
class StillFilm(Film):
    """A picture as a film of `count` frames in which nothing moves."""

    def __init__(self, name: str, file: Path, count: int) -> None:
        self.name, self.file, self.count, self.rate = name, file, count, None

    def __len__(self) -> int:
        return self.count

    def frames(self, numbers: Sequence[int]) -> list[np.ndarray]:
        return [decode_file(self.file)] * len(numbers)


@final
class ArrayFilm(Film):
    """Frames in memory, (T, C, H, W)."""

    def __init__(self, name: str, array: np.ndarray, rate: float | None = None) -> None:
        self.name, self.array, self.rate = name, array, rate

    def __len__(self) -> int:
        return len(self.array)

    def frames(self, numbers: Sequence[int]) -> list[np.ndarray]:
        return [self.array[number] for number in numbers]


@final
class FileFilm(Film):
    """A video file through PyAV. Frames are found by their time stamps, which are read without decoding, so that any frame is exact."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path

    def __len__(self) -> int:
        return len(self.index.stamps)

    @property
    def rate(self) -> float | None:  # type: ignore[override]  # read when it is asked for
        """Frames a second, on average."""
        return self.index.rate

    def frames(self, numbers: Sequence[int]) -> list[np.ndarray]:
        """Decoding starts at the last key frame before the first number; where that is not enough, at the start of the film."""
        wanted = {self.index.stamps[number]: place for place, number in enumerate(numbers)}
        found = self._decoded(wanted, self.index.key_before(numbers[0]))
        if len(found) < len(wanted):
            found = self._decoded(wanted, None)
        if len(found) < len(wanted):
            missing = numbers[next(place for place in range(len(numbers)) if place not in found)]
            raise DataError(
                f"{self.path}: frame {missing} of {len(self)} can't be decoded; the file is damaged or cut off: convert it anew"
            )
        return [found[place] for place in range(len(numbers))]

    def _decoded(self, wanted: Mapping[int, int], key: int | None) -> dict[int, np.ndarray]:
        """Place → frame, of those whose time stamps are wanted and turn up after the key frame (None: from the start)."""
        found: dict[int, np.ndarray] = {}
        with _opened(self.path) as film:
            stream = film.streams.video[0]
            if key is not None:
                film.seek(key, stream=stream, backward=True)
            for frame in film.decode(stream):
                if frame.pts in wanted:
                    found[wanted[frame.pts]] = np.ascontiguousarray(frame.to_ndarray(format="rgb24").transpose(2, 0, 1))
                if len(found) == len(wanted) or (frame.pts is not None and frame.pts > max(wanted)):
                    break
        return found

    @cached_property
    def index(self) -> Index:
        """What the file says of its frames."""
        with _opened(self.path) as film:
            if not film.streams.video:
                raise DataError(f"{self.path}: holds no moving picture; expected a video file")
            stream = film.streams.video[0]
            BUDGET.check_pixels(str(self.path), stream.width, stream.height)
            packets = [packet for packet in film.demux(stream) if packet.pts is not None and not packet.is_discard]
            BUDGET.check_samples(str(self.path), len(packets))
            keys = {packet.pts: packet.pts if packet.dts is None else packet.dts for packet in packets if packet.is_keyframe}
            rate = None if stream.average_rate is None else float(stream.average_rate)
        if not packets:
            raise DataError(f"{self.path}: holds no frame; the file is empty or cut off")
        return Index(sorted({packet.pts for packet in packets}), keys, rate)


@dataclass(frozen=True)
class Index:
    """stamps: of all frames in the order of showing. keys: stamp of each frame that needs no other → stamp to seek it by."""

    stamps: Sequence[int]
    keys: Mapping[int, int]
    rate: float | None

    def key_before(self, number: int) -> int | None:
        """Where to seek so that frame `number` can be decoded; None for the start."""
        before = [stamp for stamp in self.keys if stamp <= self.stamps[number]]
        return self.keys[max(before)] if before else None


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """An open container, closed at the end. Whatever FFmpeg says of a damaged file becomes one sentence; so does its absence."""
    try:
        import av
    except ImportError as error:
        raise DataError(f"{path}: video files need PyAV; pip install 'jepakit[video]'") from error
    try:
        BUDGET.check_file(path)
        with av.open(str(path)) as film:
            yield film
    except (av.FFmpegError, OSError, ValueError, IndexError, MemoryError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: not a video that FFmpeg can read ({reason}); it is damaged, cut off or of another kind") from error
