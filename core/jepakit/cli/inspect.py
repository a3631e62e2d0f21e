"""`jepakit inspect`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jepakit.cli.policy import Policy

if TYPE_CHECKING:
    from jepakit.inspect.examine import Inspection

SHOWN = 8
"""Classes, channels and other ways to read that are named; --json has all of them."""
WIDTH = 11


@click.command()
@click.argument("path")
@click.option("--test", help="Data that must share nothing with PATH: leaks between the two are looked for.")
@click.option("--modality", help="Read it as this; by default all modalities are asked and the one that fits best is taken.")
@click.option("--limit", type=click.IntRange(min=1), default=2000, show_default=True, help="Samples to look at, evenly over the whole.")
@click.option("--plugin", "files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A one-file plugin.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def inspect(policy: Policy, path: str, test: str | None, modality: str | None, limit: int, files: tuple[Path, ...], as_json: bool) -> None:
    """Say what is in PATH (a path or bundled:NAME), what is wrong with it, and which recipe fits; nothing is trained or written."""
    from jepakit.cli.screen import show_line
    from jepakit.inspect.examine import inspect as look

    found = look(path, policy.host(files), test=test, only=modality, limit=limit, emit=(lambda event: None) if as_json else show_line)
    if as_json:
        click.echo(json.dumps(found.to_json()))
        return
    for name, text in lines_of(found):
        click.echo(f"{name:{WIDTH}} {text}")


def lines_of(found: Inspection) -> Iterator[tuple[str, str]]:
    """(what, value) for people."""
    contents = found.contents
    size = "" if found.bytes is None else f", {found.bytes / 1e6:,.1f} MB"
    yield "data", f"{found.path} ({found.format}{size})"
    yield "modality", found.modality
    part = "" if contents.looked_at == contents.count else f", of which {contents.looked_at:,} were looked at"
    yield "samples", f"{contents.count:,}{part}"
    for name, stream in contents.streams.items():
        yield "stream", f"{name}: {_shape(stream)} {', '.join(stream['dtype'])}, {_range(stream)}"
    if contents.channels:
        yield "channels", str(contents.channels) if isinstance(contents.channels, int) else _few([str(name) for name in contents.channels])
    if contents.rates:
        yield "rate", ", ".join(_rate(float(rate)) for rate in contents.rates)
    if contents.seconds:
        yield "duration", " to ".join(_span(second) for second in dict.fromkeys(contents.seconds))
    yield "labels", _labels(contents.labels)
    if contents.groups["count"]:
        yield "groups", _groups(contents.groups)
    yield "twins", _copies(found.twins.exact, found.twins.near)
    if found.leaks is not None:
        yield "leaks", f"{_copies(found.leaks.exact, found.leaks.near)}, {found.leaks.groups} groups on both sides"
    yield from (("warning", sentence) for sentence in found.warnings)
    if found.also:
        yield from _also(found)
    yield from (("problem", sentence) for sentence in found.suggestion.problems)
    planned = ((line[:WIDTH].rstrip(), line[WIDTH:].lstrip()) for line in found.suggestion.plan)
    yield from (("training" if name == "data" else name, text) for name, text in planned)
    if found.beside is not None:
        yield "or first", f"jepakit inspect {shlex.quote(found.path)} --test {shlex.quote(found.beside)}"
    yield "next", found.suggestion.command or "no recipe of this modality is installed that can run on it"


def _also(found: Inspection) -> Iterator[tuple[str, str]]:
    same = [name for path, name, _ in found.also if path == found.path]
    if same:
        yield "also", f"read as {_few(same)}, with --modality"
    here = Path(found.path).parent
    apart = [f"{_below(Path(path), here)} ({name}, {count:,})" for path, name, count in found.also if path != found.path]
    if apart:
        yield "beside it", _few(apart)


def _below(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) and path != folder else str(path)


def _shape(stream: Mapping[str, Any]) -> str:
    axes = [str(low) if low == high else f"{low}–{high}" for low, high in zip(stream["smallest"], stream["largest"])]
    return f"({', '.join(axes)})"


def _range(stream: Mapping[str, Any]) -> str:
    if stream["low"] is None:
        return "no numbers"
    missing = f", {stream['missing']:.2%} missing" if stream["missing"] else ""
    if len(stream["largest"]) == 1:
        return f"one value a column{missing}"  # columns are of different kinds: no range holds for all of them
    return f"{stream['low']:.4g} to {stream['high']:.4g}, mean {stream['mean']:.4g}, std {stream['std']:.4g}{missing}"


def _labels(labels: Mapping[str, Any]) -> str:
    if labels["kind"] == "none":
        return "none"
    if "classes" not in labels:
        return f"{labels['kind']}, {labels['low']:.4g} to {labels['high']:.4g}, mean {labels['mean']:.4g}"
    balance = _few([f"{name} {count}" for name, count in labels["classes"].items()])
    return f"{labels['kind']}, {len(labels['classes'])} classes, the largest {labels['majority']:.1%}: {balance}"


def _groups(groups: Mapping[str, Any]) -> str:
    sizes = (groups["smallest"], groups["largest"])
    said = (
        "one sample each"
        if sizes == (1, 1)
        else f"{sizes[0]:,} samples each"
        if sizes[0] == sizes[1]
        else f"of {sizes[0]:,} to {sizes[1]:,} samples"
    )
    return f"{groups['count']:,}, {said}" + (f"; {groups['without']:,} samples are in none" if groups["without"] else "")


def _rate(rate: float) -> str:
    return f"{rate:g} Hz" if rate >= 0.1 else f"every {_span(1 / rate)}"


def _span(seconds: float) -> str:
    """A time as one says it: seconds up to ten minutes, hours up to two days."""
    for most, unit, length in ((600, "s", 1), (7200, "min", 60), (172_800, "h", 3600)):
        if seconds <= most:
            return f"{seconds / length:,.4g} {unit}"
    return f"{seconds / 86_400:,.4g} days"


def _copies(exact: int, near: int | None) -> str:
    return f"{exact:,} exact" + ("" if near is None else f", {near:,} near")


def _few(words: Sequence[str]) -> str:
    return ", ".join(words[:SHOWN]) + (f" and {len(words) - SHOWN} more" if len(words) > SHOWN else "")
