"""Names of distributions as people type them: what is a name, which two are the same, and which one passes for another."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from jepakit.errors import UsageError
from jepakit.plugin_host.status import normalise

CLOSE = 2
"""Letters by which a name may differ from a known one and still be taken for a slip of the pen (or a trap) rather than another name."""
_LOOKS = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"), ("8", "b"), ("2", "z"))
"""What is hard to tell apart in many fonts."""


def skeleton(name: str) -> str:
    """What a name looks like: two names with one skeleton are hard to tell apart on a screen."""
    text = normalise(name).replace("-", "")
    for seen, meant in _LOOKS:
        text = text.replace(seen, meant)
    return text


@dataclass(frozen=True)
class Pinned:
    """A distribution, in its normal spelling, and perhaps its exact version: the only text from outside that reaches pip's command line.

    It can't be made of anything else: names by PEP 508, versions by PEP 440, no extras, no markers, no address.
    """

    distribution: str
    version: str = ""

    def __post_init__(self) -> None:
        from packaging.version import InvalidVersion, Version

        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.distribution) or len(self.distribution) > 100:
            raise UsageError(f"{ascii(self.distribution)[:60]} is not the normal spelling of a distribution's name")
        try:
            if self.version and str(Version(self.version)) != self.version:
                raise InvalidVersion
        except InvalidVersion as error:
            raise UsageError(f"{ascii(self.version)[:60]} is not a version by PEP 440 in its normal form, such as 1.2.0") from error

    def __str__(self) -> str:
        return f"{self.distribution}=={self.version}" if self.version else self.distribution


def pinned(typed: str) -> Pinned:
    """What `name` or `name==version` means.

    Raises:
        UsageError: it is anything else.
    """
    from packaging.version import InvalidVersion, Version

    shown = ascii(typed if len(typed) <= 60 else typed[:60] + "...")
    match = re.fullmatch(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:==([A-Za-z0-9.!+]+))?", typed, re.ASCII)
    if match is None or len(typed) > 100:
        raise UsageError(f"{shown} is not the name of a distribution; expected NAME, NAME==VERSION or the path of a .whl file")
    try:
        return Pinned(normalise(match[1]), str(Version(match[2])) if match[2] else "")
    except InvalidVersion as error:
        raise UsageError(f"{shown}: {match[2]} is not a version; expected one like 1.2.0") from error


def passes_for(name: str, known: Iterable[str]) -> str | None:
    """The known distribution that `name` is not, but could be taken for; None when it is known or resembles none."""
    own = normalise(name)
    others = sorted({normalise(other) for other in known})
    if own in others:
        return None
    return next((other for other in others if skeleton(own) == skeleton(other) or edits(own, other) <= CLOSE), None)


def edits(first: str, second: str) -> int:
    """How many letters to insert, delete, replace or swap with their neighbour (Damerau 1964, optimal string alignment)."""
    rows = [list(range(len(second) + 1))]
    for i, a in enumerate(first, 1):
        row = [i]
        for j, b in enumerate(second, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == second[j - 2] and b == first[i - 2]:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def plain(text: str) -> str:
    """Text from outside, safe to print: control, direction and other invisible characters are written out."""
    return "".join(letter if letter == " " or unicodedata.category(letter)[0] in "LMNPS" else ascii(letter)[1:-1] for letter in text)
