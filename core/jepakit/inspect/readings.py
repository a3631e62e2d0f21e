"""Who can read a path: every modality is asked, by opening it and reading its first sample."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jepakit.contracts import Modality, Reader
from jepakit.errors import JepakitError
from jepakit.plugin_host.host import Host, load

FEW_FILES = 40
"""In a folder of at most so many files each is looked at on its own as well: several data sets may lie side by side."""
NO_DATA = frozenset({".md", ".txt", ".json", ".yaml", ".yml", ".html", ".log", ".pdf", ""})
"""Suffixes of what lies beside data."""
SURE = 0.5
"""Fit from which a modality takes a folder for its own."""
RARE, STRAY = 0.1, 0.4
"""A sample that is called like fewer than a tenth of the files of its folder, a picture among sweeps, and what it leaves of the fit."""
BY_NAME = 0.1
"""Added where a folder or a file is called like the modality."""
HELD_OUT = frozenset({"test", "val", "valid", "validation", "dev", "eval"})
"""Words in the name of what is not for training."""


@dataclass(frozen=True)
class Reading:
    """A path as one modality reads it. fit: how much it looks like that modality, as `Modality.resembles` says it."""

    path: str
    name: str
    modality: Modality
    reader: Reader
    fit: float

    @property
    def count(self) -> int:
        return len(self.reader)


@dataclass(frozen=True)
class Refusal:
    """Why a modality can't read a path."""

    path: str
    name: str
    reason: str


def readings(source: str, host: Host, only: str | None = None) -> tuple[list[Reading], list[Refusal]]:
    """Every way to read `source`, best first: what fits best, then what is not called test, then what gives most samples.

    A folder's files are ways as well.

    only: ask that modality alone.
    """
    found: list[Reading] = []
    refused: list[Refusal] = []
    specs = [spec for spec in host.components("modality") if only in (None, spec.name)]
    for place in (source, *inside(source)):
        endings = Counter(path.suffix.lower() for path in Path(place).rglob("*") if is_data(path))
        for spec in specs:
            answer = ask(place, spec.name, load(spec.target)(), endings)
            if isinstance(answer, Reading):
                found.append(answer)
            else:
                refused.append(answer)
        if place == source and any(is_whole(one) for one in found):
            break
    return sorted(found, key=lambda one: (-round(one.fit, 2), not HELD_OUT.isdisjoint(words(Path(one.path).name)), -one.count)), refused


def is_whole(reading: Reading) -> bool:
    """Whether a folder is one set: at least half of its files are samples of it."""
    return reading.fit >= SURE and 2 * reading.count >= sum(is_data(path) for path in Path(reading.path).rglob("*"))


def inside(source: str) -> list[str]:
    """What lies in a folder, where that is little."""
    folder = Path(source)
    files = [str(path) for path in sorted(folder.iterdir()) if path.is_dir() or is_data(path)] if folder.is_dir() else []
    return files if len(files) <= FEW_FILES else []


def is_data(path: Path) -> bool:
    """Whether a file may hold samples, by its name."""
    return path.suffix.lower() not in NO_DATA


def ask(place: str, name: str, modality: Modality, endings: Mapping[str, int]) -> Reading | Refusal:
    """One modality about one place. Whatever it raises is its answer: readers of plugins meet files here that they were not made for.

    endings: how many files below the place end how.
    """
    try:
        reader: Any = modality.open(place, "all")
        sample = reader.read(0)
        fit = float(modality.resembles(sample)) * (STRAY if is_stray(Path(sample.id).suffix.lower(), endings) else 1)
    except JepakitError as error:
        return Refusal(place, name, str(error))
    except Exception as error:  # the edge of the plugins: one that fails on strange data must not hide what the others find
        return Refusal(place, name, f"failed with {type(error).__name__}: {error}")
    return Reading(place, name, modality, reader, fit + BY_NAME * (name in words(place)) if math.isfinite(fit) else 0.0)


def is_stray(suffix: str, endings: Mapping[str, int]) -> bool:
    """Whether few files end like this; never where the ending says nothing."""
    return 0 < endings.get(suffix, 0) < RARE * sum(endings.values())


def words(path: str) -> list[str]:
    """The words of a path, in small letters."""
    return "".join(letter if letter.isalnum() else " " for letter in path.lower()).split()
