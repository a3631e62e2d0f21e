"""`jepakit inspect`: one look at data, top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jepakit.contracts import Advice, Reader, Sample
from jepakit.errors import DataError
from jepakit.inspect.contents import Contents, contents_of
from jepakit.inspect.readings import HELD_OUT, Reading, Refusal, readings, words
from jepakit.inspect.suggest import Suggestion, suggest
from jepakit.inspect.twins import Leaks, Twins, leaks_between, raw_features, twins_within
from jepakit.plugin_host.host import Host

Emit = Callable[[dict[str, Any]], None]
FINDINGS_SHOWN = 3
SEPARATOR = "::"
"""Between a path and how it is to be read."""
MOST_VALUES, FEWEST = 1 << 26, 8
"""Numbers looked at, about ten seconds' worth, and samples that are looked at whatever their size."""


@dataclass(frozen=True)
class Inspection:
    """All that was found. also: other ways to read the path, as (path, modality, samples). warnings: sentences, worst first.

    beside: a path that seems to hold the test samples of this one.
    """

    path: str
    modality: str
    format: str
    bytes: int | None
    contents: Contents
    twins: Twins
    leaks: Leaks | None
    also: tuple[tuple[str, str, int], ...]
    warnings: tuple[str, ...]
    suggestion: Suggestion
    beside: str | None = None

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data."""
        return asdict(self)


def inspect(source: str, host: Host, *, test: str | None, only: str | None, limit: int, emit: Emit) -> Inspection:
    """Look at the data that `source` names.

    Args:
        test: other data that must share nothing with it. only: a modality, where several can read it. limit: samples looked at.

    Raises:
        DataError: no modality reads it, with the reason of each.
    """
    found, refused = readings(source, host, only)
    if not found:
        raise DataError(nobody(source, refused))
    best, samples, left_out = first_whole(found, limit, emit)
    advice = Advice() if SEPARATOR in best.path else best.modality.advice(samples[0])
    found = [best, *(one for one in found if one is not best)]
    raw = raw_features(samples, best.modality)
    contents, twins = contents_of(samples, best.reader), twins_within(samples, raw)
    leaks: Leaks | None = None
    differences: tuple[str, ...] = ()
    if test is not None:
        other = best.modality.open(test, "all")
        leaks = compared(best, samples, raw, drawn(other, limit))
        differences = unlike(best.reader, other)
    return Inspection(
        path=best.path,
        modality=best.name,
        format=format_of(Path(best.path)),
        bytes=size_of(Path(best.path)),
        contents=contents,
        twins=twins,
        leaks=leaks,
        also=others(found),
        warnings=(*left_out, *differences, *warnings_of(contents, twins, leaks), *((advice.reason,) if advice.reason else ())),
        suggestion=suggest(best.name, SEPARATOR.join(filter(None, (best.path, advice.options))), host, advice.changes),
        beside=None if test is not None else partner(best, found),
    )


def first_whole(found: Sequence[Reading], limit: int, emit: Emit) -> tuple[Reading, list[Sample], list[str]]:
    """The first way to read the path under which all drawn samples can be read, those samples, and what was wrong with ways before it."""
    problems: list[str] = []
    for one in found:
        emit({"event": "reading", "sentence": f"reading {one.path} as {one.name}"})
        try:
            return one, drawn(one.reader, limit), problems
        except DataError as error:
            problems.append(f"{one.path} can't be read to its end as {one.name}: {error}")
    raise DataError("\n  ".join(["no modality reads all samples:", *problems]))


def others(found: Sequence[Reading]) -> tuple[tuple[str, str, int], ...]:
    """Further ways to read the path that was taken, then the best way to read every other one; what fits far worse is left out."""
    best, seen = found[0], {found[0].path}
    found = [one for one in found if one.fit >= best.fit / 2]
    ways = [one for one in found if one.path == best.path]
    for one in found:
        if one.path not in seen and one.count > 1:
            seen.add(one.path)
            ways.append(one)
    return tuple((one.path, one.name, one.count) for one in ways if one is not best)


def partner(best: Reading, found: Sequence[Reading]) -> str | None:
    """The path that is called like this one, with a word for held-out data in place of "train"."""
    ours = words(Path(best.path).name)
    for one in found:
        theirs = words(Path(one.path).name)
        apart = [(mine, other) for mine, other in zip(ours, theirs) if mine != other]
        if one.name == best.name and len(ours) == len(theirs) and len(apart) == 1 and apart[0][0] == "train" and apart[0][1] in HELD_OUT:
            return one.path
    return None


def drawn(reader: Reader, limit: int) -> list[Sample]:
    """At most `limit` samples, evenly over the whole; fewer of large ones."""
    size = sum(array.size for array in reader.read(0).streams.values())
    count = min(limit, len(reader), max(FEWEST, MOST_VALUES // max(size, 1)))
    rows = np.unique(np.linspace(0, len(reader) - 1, count).round().astype(int))
    return [reader.read(int(row)) for row in rows]


def compared(best: Reading, train: Sequence[Sample], raw: np.ndarray | None, test: Sequence[Sample]) -> Leaks:
    """Leaks, near ones where both sets have raw features of one width."""
    other = raw_features(test, best.modality)
    both = None if raw is None or other is None or raw.shape[1] != other.shape[1] else (raw, other)
    return leaks_between(train, test, both)


def unlike(train: Reader, test: Reader) -> tuple[str, ...]:
    """What the two sets say differently of themselves that a model would stumble over."""
    ours, theirs = train.spec(), test.spec()
    keys = [key for key in ("channels", "channel_names", "columns", "rate_hz", "class_names", "dtype") if key in ours and key in theirs]
    return tuple(f"test data has another {key}: {theirs[key]!r}, not {ours[key]!r}" for key in keys if ours[key] != theirs[key])


def warnings_of(contents: Contents, twins: Twins, leaks: Leaks | None) -> list[str]:
    """What to look at before training, in sentences."""
    found = []
    if leaks is not None and leaks.exact:
        found.append(f"{leaks.exact} test samples are training samples too, {_pairs(leaks.exact_pairs)}; scores would be too good")
    if leaks is not None and leaks.groups:
        found.append(f"{leaks.groups} groups have samples on both sides ({', '.join(leaks.group_names)}); split by group")
    if leaks is not None and leaks.near:
        found.append(f"{leaks.near} test samples are nearly the same as a training sample, {_pairs(leaks.near_pairs)}")
    if twins.exact:
        odd = f", {twins.conflicting} of them with another label" if twins.conflicting else ""
        found.append(f"{twins.exact} samples are copies of others{odd}, {_pairs(twins.exact_pairs)}")
    if twins.near:
        found.append(f"{twins.near} pairs of samples are nearly the same, {_pairs(twins.near_pairs)}; keep them on one side of a split")
    for name, stream in contents.streams.items():
        if stream["missing"] or stream["infinite"]:
            found.append(f"stream {name}: {stream['missing']:.2%} of the values are missing, {stream['infinite']:.2%} infinite")
        if stream["flat_samples"]:
            found.append(f"stream {name}: {stream['flat_samples']} samples hold one value throughout")
    if len(contents.rates) > 1:
        found.append(f"several rates: {', '.join(f'{count} samples at {rate} Hz' for rate, count in contents.rates.items())}")
    if contents.labels.get("kind") != "none" and contents.labels.get("without"):
        found.append(f"{contents.labels['without']} of {contents.looked_at} samples have no label")
    return found


def nobody(source: str, refused: Sequence[Refusal]) -> str:
    """Why no modality reads it, the reasons for the path itself."""
    if not refused:
        return f"{source}: there is no modality of that name; `jepakit plugins info` shows what is installed"
    reasons = [f"{one.name}: {one.reason}" for one in refused if one.path == source]
    return "\n  ".join([f"no modality reads {source}; each says why:", *reasons])


def format_of(path: Path) -> str:
    """The suffix that most files have, or the kind of source."""
    if path.is_file():
        return "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix or "a file without suffix"
    if not path.is_dir():
        return "by name"
    suffixes = [file.suffix.lower() for file in path.rglob("*") if file.is_file()]
    return f"folder, mostly {max(set(suffixes), key=suffixes.count) or 'files without suffix'}" if suffixes else "empty folder"


def size_of(path: Path) -> int | None:
    """Bytes of a file or of all files below a folder; None for what is no path."""
    if not path.exists():
        return None
    return path.stat().st_size if path.is_file() else sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    shown = "; ".join(f"{left} = {right}" for left, right in pairs[:FINDINGS_SHOWN])
    return f"for example {shown}"
