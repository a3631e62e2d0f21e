"""What a user types for audio: a path and, behind `::`, which columns mean what, at which rate, in which windows."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from jepakit.sdk import DataError

OPTIONS = ("file", "label", "group", "split", "only", "without", "rate_hz", "window_s")


@dataclass(frozen=True)
class Address:
    """`PATH::rate_hz=16000,window_s=10`: where the recordings lie and how they are read.

    file, label, group: names of columns of a csv list; None: one of the usual names (`sources.USUAL`).
    split: rows of a csv list that are read, whichever split is asked for; "all": every row; None: those of the split asked for.
    only, without: a group of a csv list that alone is read, or that is left out, as for a test on a speaker never heard.
    rate_hz: recordings of other rates are resampled to it; None: all must have one rate.
    window_s: recordings are cut into windows of so many seconds, each a sample; None: a recording is a sample.
    """

    path: Path
    file: str | None = None
    label: str | None = None
    group: str | None = None
    split: str | None = None
    only: str | None = None
    without: str | None = None
    rate_hz: int | None = None
    window_s: float | None = None


def parse(source: str) -> Address:
    """The address behind a source. Raises DataError for an option that does not exist, is given twice or is no number above zero."""
    path, _, said = source.partition("::")
    options: dict[str, str] = {}
    for part in filter(None, said.split(",")):
        key, _, value = part.partition("=")
        if key not in OPTIONS or not value:
            near = get_close_matches(key, OPTIONS, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise DataError(f"{source}: '{part}' is no option of audio; expected {', '.join(OPTIONS)}, as in PATH::rate_hz=16000.{hint}")
        if key in options:
            raise DataError(f"{source}: '{key}' is given twice; keep one")
        options[key] = value
    rate, window = (above_zero(source, key, options.get(key)) for key in ("rate_hz", "window_s"))
    if rate is not None and rate != int(rate):
        raise DataError(f"{source}: rate_hz={options['rate_hz']}; expected a whole number of samples a second")
    return Address(
        Path(path).expanduser(),
        options.get("file"),
        label=options.get("label"),
        group=options.get("group"),
        split=options.get("split"),
        only=options.get("only"),
        without=options.get("without"),
        rate_hz=None if rate is None else int(rate),
        window_s=window,
    )


def above_zero(source: str, key: str, value: str | None) -> float | None:
    """The number behind an option, None when it is not given."""
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise DataError(f"{source}: {key}={value}; expected a number above zero")
    return number
