"""What a source says about its images before any pixel is decoded: ids, labels, groups, names of classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jepakit.sdk import DataError

MOST_CLASSES = 1_000_000
"""Class numbers with a name stay below: names are a list with a place for every number, and a damaged number must not fill memory."""


@dataclass(frozen=True)
class Listing:
    """What is known before any pixel is decoded. labels: class numbers or, for regression, floats; None without labels.

    label_kind: as in `Reader.spec`, where labels are arrays, one an image; None leaves it to be inferred.
    groups: subject, scene, tile; None for an image that has none. digest: changes when the data changes.
    """

    ids: Sequence[str]
    labels: Sequence[int | float | np.ndarray] | None = None
    groups: Sequence[str | None] | None = None
    class_names: Sequence[str] | None = None
    digest: str = ""
    label_kind: str | None = None


def numbered(values: Sequence[Any]) -> tuple[list[int] | list[float], list[str] | None]:
    """Labels as class numbers, whole floats among them; names become numbers in sorted order; other floats stay what they are."""
    if all(isinstance(value, int | float) for value in values):
        whole = all(math.isfinite(value) and value == int(value) for value in values)
        return ([int(value) for value in values] if whole else [float(value) for value in values]), None
    stored = [text(value) or "" for value in values]
    names = sorted(set(stored))
    places = {name: number for number, name in enumerate(names)}
    return [places[name] for name in stored], names


def named(numbers: Sequence[int | float], names: Sequence[Any], origin: str) -> list[str]:
    """Names by class number, from a name a row; a number that no row has is its own name."""
    found = {number: str(name) for number, name in zip(numbers, names)}
    for number, name in zip(numbers, names):
        if found[number] != str(name):
            raise DataError(f"{origin}: class {number} is called '{name}' and '{found[number]}'; a class needs one name")
    wrong = next((number for number in found if not 0 <= number < MOST_CLASSES or number != int(number)), None)
    if wrong is not None:
        raise DataError(f"{origin}: class number {wrong}; a class with a name needs a whole number from 0 to {MOST_CLASSES - 1}")
    return [found.get(number, str(number)) for number in range(int(max(found, default=-1)) + 1)]


def text(value: Any) -> str | None:
    """A name as stored by any writer: bytes are decoded; what is empty is None, so that images without a group don't form one."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    return None if value is None or value == "" or value != value else str(value)


def unique_ids(names: Sequence[Any] | None, count: int, stem: str) -> list[str]:
    """The stored ids; with the row number behind them where they repeat, since masks are keyed by them."""
    if names is None:
        return [f"{stem}/{row}" for row in range(count)]
    stored = [text(name) or "" for name in names]
    return stored if len(set(stored)) == count else [f"{name}#{row}" for row, name in enumerate(stored)]
