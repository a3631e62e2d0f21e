"""From a path to films, and from films to clips."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from jepakit.sdk import DataError
from jepakit_modalities.image.decode import SUFFIXES as IMAGES
from jepakit_modalities.image.digest import digest
from jepakit_modalities.image.npz import listing_of, load
from jepakit_modalities.video.address import parsed
from jepakit_modalities.video.films import SUFFIXES, ArrayFilm, FileFilm, Film, FrameFilm, StillFilm
from jepakit_modalities.video.reader import ClipReader, Films

EXPECTED = "a video file, an .npz file, or a folder of video files or of folders of frames"
STILLS = IMAGES - {".gif", ".npy"}
"""What a frame of a film may be."""


def open_source(source: str) -> ClipReader:
    """All clips of what lies at a path with its options, as `films/::frames=16::every=2`."""
    text, options = parsed(source)
    films = open_films(Path(text).expanduser())
    if options.stills is not None:
        films = with_stills(films, Path(options.stills).expanduser(), options.still)
    return ClipReader(films, options, origin=text)


def with_stills(films: Films, folder: Path, count: int) -> Films:
    """The films, and every picture below `folder` as one of `count` frames, without a label. DataError when there is none."""
    files = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in STILLS and not hidden(path.relative_to(folder))]
    if not files:
        raise DataError(f"{folder}: holds no picture; expected a folder of pictures behind ::stills")
    pictures = [StillFilm(f"{folder.name}/{name_of(path, folder)}", path, count) for path in files]
    nothing = [None] * len(files)
    return replace(
        films,
        films=[*films.films, *pictures],
        labels=None if films.labels is None else [*films.labels, *nothing],
        groups=None if films.groups is None else [*films.groups, *nothing],
        digest=f"{films.digest} {digest(files, [picture.name for picture in pictures])}",
    )


def open_films(path: Path) -> Films:
    """DataError for a path that holds no film."""
    try:
        if path.is_dir():
            return of_folder(path)
        if not path.is_file():
            raise DataError(f"no such file or folder: {path}; expected {EXPECTED}")
        if path.suffix.lower() == ".npz":
            return of_npz(path)
        if path.suffix.lower() in SUFFIXES:
            return Films([FileFilm(path.name, path)], digest=digest([path], [path.name]))
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror or error})") from error
    raise DataError(f"{path}: can't tell what '{path.suffix}' is; expected {EXPECTED}")


def of_folder(folder: Path) -> Films:
    """Every video file and every folder of frames below `folder`, by name; folder/class/film is labelled by its class."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not hidden(path.relative_to(folder))]
    stills: dict[Path, list[Path]] = {}
    for path in files:
        if path.suffix.lower() in STILLS:
            stills.setdefault(path.parent, []).append(path)
    films: dict[Path, Film] = {}
    for place, frames in stills.items():
        if len(frames) > 1:  # a single picture beside films is a poster or a contact sheet
            films[place] = FrameFilm(name_of(place, folder), sorted(frames, key=numbered))
    films |= {path: FileFilm(name_of(path, folder), path) for path in files if path.suffix.lower() in SUFFIXES}
    if not films:
        raise DataError(f"{folder}: holds no film; expected {EXPECTED}")
    places = sorted(films)
    deep = all(len(path.relative_to(folder).parts) == 2 for path in places)
    classes = sorted({path.parent.name for path in places}) if deep else None
    labels = None if classes is None else [classes.index(path.parent.name) for path in places]
    seen = [film.files[0] if isinstance(film, FrameFilm) else path for path, film in ((place, films[place]) for place in places)]
    counts = [f"{name_of(path, folder)} {len(film.files) if isinstance(film, FrameFilm) else 1}" for path, film in sorted(films.items())]
    return Films([films[path] for path in places], labels, classes, digest=digest(seen, counts))


def of_npz(path: Path) -> Films:
    """x [N, T, H, W] or [N, T, H, W, C] or [N, T, C, H, W], and y, group, class_names, id as for images; `rate`, frames a second."""
    arrays = load(path, also=("rate",))
    if "x" not in arrays or arrays["x"].ndim not in (4, 5) or arrays["x"].dtype.kind not in "uif":
        found = f"x is a {arrays['x'].dtype} array of shape {arrays['x'].shape}" if "x" in arrays else "there is no x"
        raise DataError(f"{path}: {found}; expected films x [N, T, H, W], [N, T, H, W, C] or [N, T, C, H, W]")
    listing, rate = listing_of(arrays, path), float(arrays["rate"].item()) if "rate" in arrays and arrays["rate"].size == 1 else None
    films = [ArrayFilm(name, channels_second(film), rate) for name, film in zip(listing.ids, arrays["x"])]
    return Films(films, listing.labels, listing.class_names, groups=listing.groups, digest=listing.digest)


def channels_second(film: np.ndarray) -> np.ndarray:
    """(T, H, W), (T, H, W, C) or (T, C, H, W) → (T, C, H, W). A last axis of at most 4 is channels."""
    if film.ndim == 3:
        return film[:, None]
    return film.transpose(0, 3, 1, 2) if film.shape[3] <= 4 < film.shape[1] else film


def hidden(path: Path) -> bool:
    """Whether some part of a path starts with a dot."""
    return any(part.startswith(".") for part in path.parts)


def name_of(path: Path, folder: Path) -> str:
    """The name of a film below its folder; that of the folder where it is the film itself."""
    return (path.relative_to(folder).as_posix() if path != folder else folder.name).encode("utf-8", "backslashreplace").decode()


def numbered(path: Path) -> list[tuple[int, str]]:
    """A key by which frame 10 comes after frame 9: digits count as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]
