"""The one reader of clips: windows of films, decoded when they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from jepakit.sdk import DataError, Reader, Sample
from jepakit_modalities.image.views import resized
from jepakit_modalities.video.address import ClipOptions
from jepakit_modalities.video.films import Film, StillFilm


@dataclass(frozen=True)
class Films:
    """Films and what is known of each. digest: changes when they do."""

    films: Sequence[Film]
    labels: Sequence[Any] | None = None
    class_names: Sequence[str] | None = None
    groups: Sequence[str | None] | None = None
    digest: str = ""


class ClipReader(Reader):
    """Clips (C, T, H, W) in the dtype of the film; all of one run have one channel count and dtype, and one size unless `size` makes it so.

    A clip is called film@frame (film@frame x length where lengths differ) and grouped by its film (or by the group that the file gives),
    since clips of one film are alike. Clips of one length lie side by side, so that they can be batched apart.
    """

    def __init__(self, films: Films, options: ClipOptions, *, origin: str) -> None:
        self.films, self.options, self.origin = films, options, origin
        self.places = [(number, cut) for number, film in enumerate(films.films) for cut in cuts_of(film, options)]
        """Film and frames of every clip, shorter clips first."""
        self.places.sort(key=lambda place: len(place[1]))
        if not self.places:
            longest, shortest = max(len(film) for film in films.films), min(options.frames)
            raise DataError(
                f"{origin}: the longest film has {longest} frames, a clip of {shortest} frames every {options.every} needs "
                f"{options.span(shortest)}; set ::frames or ::every lower"
            )
        self.buckets = list(Counter(len(cut) for _, cut in self.places).values())
        """How many clips there are of each length."""

    def __len__(self) -> int:
        return len(self.places)

    def read(self, index: int) -> Sample:
        number, cut = self.places[index]
        films = self.films
        clip = self._clip(number, cut)
        if kind_of(clip) != kind_of(self.first):
            raise DataError(
                f"{self.origin}: {films.films[number].name} has frames {kind_of(clip)}, {films.films[0].name} has {kind_of(self.first)}; "
                "add ::size=SIDE to bring all to one size, or keep other formats in folders of their own"
            )
        rate = films.films[number].rate
        return Sample(
            streams={"main": clip},
            id=f"{films.films[number].name}@{cut.start}" + (f"x{len(cut)}" if len(self.buckets) > 1 else ""),
            label=None if films.labels is None else films.labels[number],
            group=films.films[number].name if films.groups is None else films.groups[number],
            meta={"rate_hz": None if rate is None else rate / self.options.every, "film": films.films[number].name, "frame": cut.start},
        )

    @cached_property
    def first(self) -> np.ndarray:
        """The first clip, which says what the others must be like."""
        return self._clip(*self.places[0])

    def _clip(self, number: int, cut: range) -> np.ndarray:
        film, side = self.films.films[number], self.options.size
        frames = [frame if side is None else squared(frame, side) for frame in film.frames(cut)]
        if len({(frame.shape, frame.dtype) for frame in frames}) > 1:
            sizes = sorted({" x ".join(map(str, frame.shape)) for frame in frames})
            raise DataError(
                f"{self.origin}: {film.name} has frames of several sizes ({', '.join(sizes)}); they must be alike, or add ::size=SIDE"
            )
        return np.stack(frames, axis=1)

    def spec(self) -> Mapping[str, Any]:
        names = self.films.class_names
        return {
            "kind": "video",
            "channels": self.first.shape[0],
            "dtype": str(self.first.dtype),
            "shape": list(self.first.shape),
            "class_names": None if names is None else list(names),
            "count": len(self),
            "buckets": self.buckets,
        }

    def fingerprint(self) -> str:
        return f"{self.films.digest} {self.options.model_dump_json()}"


def cuts_of(film: Film, options: ClipOptions) -> list[range]:
    """The clips of a film; of a picture one, as long as it was made."""
    return [range(len(film))] if isinstance(film, StillFilm) else options.cuts(len(film))


def kind_of(clip: np.ndarray) -> str:
    """What all clips of a run have in common: "3 x 112 x 112 of uint8"."""
    return f"{clip.shape[0]} x {clip.shape[2]} x {clip.shape[3]} of {clip.dtype}"


def squared(frame: np.ndarray, side: int) -> np.ndarray:
    """The largest square in the middle of a frame (C, H, W), at side x side."""
    height, width = frame.shape[1:]
    edge = min(height, width)
    return resized(frame, ((height - edge) // 2, (width - edge) // 2, edge, edge), (side, side))
