"""From what stands after --data to a reader."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from warnings import catch_warnings, simplefilter

from jepakit.sdk import DataError, Reader
from jepakit_modalities.timeseries.address import SourceOptions, parsed
from jepakit_modalities.timeseries.files import from_aeon, load
from jepakit_modalities.timeseries.reader import SeriesReader, union
from jepakit_modalities.timeseries.recordings import Recordings, chosen, resampled, scaled, univariate, windowed

BUNDLED = {"japanese-vowels": "load_japanese_vowels", "osu-leaf": "load_osuleaf"}
"""Real sets that ship inside aeon, with their official splits."""


def open_series(source: str, split: str) -> Reader:
    """One file, several joined by commas, or `bundled:NAME`, with options behind `::`."""
    address = parsed(source)
    readers = [SeriesReader(asked(opened(path, split, address.options), address.options)) for path in address.paths]
    return union(readers, address.options.balance)


def opened(path: str, split: str, options: SourceOptions) -> Recordings:
    """The recordings of one source, as they are."""
    return bundled(path.removeprefix("bundled:"), split) if path.startswith("bundled:") else load(Path(path).expanduser(), options)


def asked(found: Recordings, options: SourceOptions) -> Recordings:
    """What the options ask for, in the order: channels, rate and length, scaler, single channels, windows."""
    by_stretch = options.horizon > 0 and found.groups is None
    if options.channels:
        found = chosen(found, options.channels)
    found = resampled(found, rate=options.rate, length=options.length)
    if options.scaler is not None:
        found = scaled(found, *options.scaler)
    if options.univariate:
        found = univariate(found)
    if options.window is not None:
        found = windowed(found, options.window, options.stride, options.horizon, options.rows, by_stretch=by_stretch)
    return found


def bundled(name: str, split: str) -> Recordings:
    """A set that ships inside aeon; DataError when there is none of that name, or no aeon."""
    if name not in BUNDLED:
        near = get_close_matches(name, BUNDLED, n=1)
        hint = f" Did you mean 'bundled:{near[0]}'?" if near else ""
        raise DataError(f"no bundled time series '{name}'; there is: {', '.join(f'bundled:{known}' for known in BUNDLED)}.{hint}")
    try:
        from aeon import datasets
    except ImportError as error:
        raise DataError(f'bundled:{name} ships inside aeon, which is not installed: pip install "jepakit[timeseries]"') from error
    with catch_warnings():
        simplefilter("ignore", FutureWarning)  # aeon 1.6 says that 1.7 will ship osu-leaf no more; the extra asks for less than 1.7
        series, y = getattr(datasets, BUNDLED[name])(split=None if split == "all" else split)
    return from_aeon(series, y, stem=f"{name}-{split}")
