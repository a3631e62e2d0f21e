"""One file → recordings: npz, csv, Parquet, aeon .ts. Only DataError comes out."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
import pandas as pd
import pyarrow as pa

from jepakit.sdk import DataError, ReadBudget
from jepakit_modalities.timeseries.address import SourceOptions
from jepakit_modalities.timeseries.recordings import Recordings, trimmed

BUDGET = ReadBudget()
UNREADABLE = (
    OSError, ValueError, TypeError, EOFError, SyntaxError, LookupError, RuntimeError, MemoryError, OverflowError, AttributeError,
    TokenError, zipfile.BadZipFile, zlib.error, pa.ArrowException,
)  # fmt: skip
"""What numpy, pandas, pyarrow and aeon raise on damaged files."""


def load(path: Path, options: SourceOptions) -> Recordings:
    """All series of one file."""
    loaders = {".npz": load_npz, ".csv": load_table, ".gz": load_table, ".parquet": load_table, ".pq": load_table, ".ts": load_ts}
    loader = loaders.get(path.suffix.lower())
    if not path.is_file():
        raise DataError(f"no such file: {path}; expected time series as .npz, .csv, .csv.gz, .parquet or .ts")
    if loader is None:
        raise DataError(f"{path}: can't tell what '{path.suffix}' is; expected .npz, .csv, .csv.gz, .parquet or .ts")
    try:
        BUDGET.check_file(path)
        found = loader(path, options)
    except UNREADABLE as error:
        raise DataError(f"{path}: not readable as time series ({' '.join(str(error).split())[:300]})") from error
    if not len(found) or not all(array.ndim == 2 and array.size for array in found.arrays):
        raise DataError(f"{path}: holds no series, or an empty one; expected at least one value each")
    return found


def load_npz(path: Path, options: SourceOptions) -> Recordings:
    """x [N, C, T] or [N, T], integers times `scale`; y, group, len, id, ch_names, units, sfreq, class_names beside it."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            BUDGET.check_decoded(f"{path}: {member.filename}", member.file_size, member.compress_size)
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files if file[name].dtype.kind != "O"}
    if "x" not in arrays or arrays["x"].ndim not in (2, 3) or arrays["x"].dtype.kind not in "iuf":
        raise DataError(f"{path}: no array x of numbers of shape [N, C, T] or [N, T]; there is {', '.join(arrays) or 'nothing'}")
    x = arrays["x"] if arrays["x"].ndim == 3 else arrays["x"][:, None]
    factor = float(arrays["scale"].item()) if "scale" in arrays else 1.0
    series = [single(row * factor) if factor != 1.0 else single(row) for row in x]
    if "len" in arrays:
        one_each(arrays["len"], len(x), "len", path)
        series = [row[:, : max(1, int(size))] for row, size in zip(series, arrays["len"])]
    label = named(arrays, options.label, "y", len(x), path)
    group = named(arrays, options.group, "group", len(x), path)
    ids = [f"{path.stem}/{name}" for name in arrays["id"]] if "id" in arrays and len(arrays["id"]) == len(x) else []
    return Recordings(
        [trimmed(row) for row in series],
        ids if len(set(ids)) == len(x) else [f"{path.stem}/{row}" for row in range(len(x))],
        labels=None if label is None else classes(label)[0],
        groups=None if group is None else [str(name) for name in group],
        class_names=classes(label)[1] or texts(arrays.get("class_names")) or None if label is not None else None,
        rate_hz=float(arrays["sfreq"].item()) if "sfreq" in arrays else None,
        channel_names=texts(arrays.get("ch_names")),
        units=texts(arrays.get("units")),
    )


def single(values: np.ndarray) -> np.ndarray:
    """As float32. ValueError for infinite values and those beyond its range: missing ones are NaN."""
    with np.errstate(over="ignore", invalid="ignore"):
        cast = values.astype(np.float32)
    if np.isinf(cast).any():
        raise ValueError(f"holds values that are infinite or beyond {np.finfo(np.float32).max:.0e}; missing ones should be NaN or empty")
    return cast


def named(arrays: dict[str, np.ndarray], asked: str | None, usual: str, count: int, path: Path) -> np.ndarray | None:
    """The array that was asked for by name, or the usual one if it is there."""
    if asked is not None and asked not in arrays:
        raise DataError(f"{path}: there is no array '{asked}'; there is {', '.join(arrays)}")
    array = arrays.get(asked or usual)
    if array is not None:
        one_each(array, count, asked or usual, path)
    return array


def one_each(array: np.ndarray, count: int, name: str, path: Path) -> None:
    """DataError unless the array has one entry a series."""
    if array.ndim == 0 or len(array) != count:
        raise DataError(f"{path}: {name} has shape {array.shape} for {count} series in x; expected one entry each")


def texts(array: np.ndarray | None) -> tuple[str, ...]:
    """The entries as text; nothing for None."""
    return () if array is None else tuple(str(name) for name in array.ravel())


def classes(values: np.ndarray) -> tuple[list[Any], tuple[str, ...]]:
    """Labels as Python numbers or arrays; texts become class numbers, in the order of their names, which come second."""
    if values.dtype.kind in "US":
        names = sorted({str(value) for value in values})
        place = {name: number for number, name in enumerate(names)}
        return [place[str(value)] for value in values], tuple(names)
    return (values.tolist() if values.ndim == 1 else list(values)), ()


def load_table(path: Path, options: SourceOptions) -> Recordings:
    """csv or Parquet in one of three layouts, see `SourceOptions.layout`."""
    frame = pd.read_parquet(path) if path.suffix.lower() in (".parquet", ".pq") else pd.read_csv(path)
    for name in (options.label, options.group, options.time, options.series if options.layout == "long" else None):
        if name is not None and name not in frame.columns:
            raise DataError(f"{path}: there is no column '{name}'; there is {', '.join(map(str, frame.columns[:20]))}")
    if options.layout == "rows":
        return from_rows(frame, options, path)
    time = options.time or next((name for name in ("time", "date", "timestamp") if name in frame.columns), None)
    special = {options.label, options.group, time, options.series if options.layout == "long" else None}
    values = [name for name in frame.columns if name not in special and pd.api.types.is_numeric_dtype(frame[name])]
    if not values:
        raise DataError(f"{path}: holds no column of numbers beside label, group and time")
    parts = [(path.stem, frame)] if options.layout == "columns" else list(frame.groupby(options.series, sort=True))
    ordered = [part if time is None else part.sort_values(time, kind="stable") for _, part in parts]
    label = None if options.label is None else classes(np.asarray([part[options.label].iloc[0] for part in ordered]))
    return Recordings(
        [single(part[values].to_numpy(dtype=np.float64)).T for part in ordered],
        [f"{path.stem}/{name}" for name, _ in parts],
        labels=None if label is None else label[0],
        class_names=None if label is None else label[1] or None,
        groups=None if options.group is None else [str(part[options.group].iloc[0]) for part in ordered],
        rate_hz=None if time is None else rate_of(ordered[0][time]),
        channel_names=tuple(str(name) for name in values),
    )


def from_rows(frame: pd.DataFrame, options: SourceOptions, path: Path) -> Recordings:
    """A row is a series of one channel, a column a step."""
    special = {options.label, options.group}
    values = frame[[name for name in frame.columns if name not in special]].to_numpy(dtype=np.float64)
    label = None if options.label is None else classes(frame[options.label].to_numpy())
    return Recordings(
        [trimmed(single(row)[None]) for row in values],
        [f"{path.stem}/{row}" for row in range(len(values))],
        labels=None if label is None else label[0],
        class_names=None if label is None else label[1] or None,
        groups=None if options.group is None else frame[options.group].astype(str).tolist(),
    )


def rate_of(times: pd.Series[Any]) -> float | None:
    """Steps a second from evenly spaced times (dates, or numbers of seconds); None when they are uneven."""
    if pd.api.types.is_numeric_dtype(times):
        seconds = times.to_numpy(dtype=np.float64)
    else:
        with catch_warnings():
            simplefilter("ignore", UserWarning)  # pandas says that dates of no common format are read one by one
            dates = pd.to_datetime(times).to_numpy()
        seconds = (dates - dates[:1]) / np.timedelta64(1, "s")  # the unit of dates differs by file and by version of pandas
    gaps = np.diff(seconds)
    return float(1 / gaps[0]) if len(gaps) and gaps[0] > 0 and np.allclose(gaps, gaps[0], rtol=1e-3) else None


def load_ts(path: Path, options: SourceOptions) -> Recordings:
    """The format of the UEA archive, through aeon."""
    try:
        from aeon.datasets import load_from_ts_file
    except ImportError as error:
        raise DataError(f'{path}: .ts files are read by aeon, which is not installed: pip install "jepakit[timeseries]"') from error
    return from_aeon(*load_from_ts_file(str(path)), stem=path.stem)


def from_aeon(series: Sequence[np.ndarray], y: np.ndarray, *, stem: str) -> Recordings:
    """Arrays (C, T) and texts, as aeon gives them."""
    labels, class_names = classes(np.asarray(y))
    arrays = [trimmed(single(np.asarray(one))) for one in series]
    return Recordings(arrays, [f"{stem}/{row}" for row in range(len(arrays))], labels=labels, class_names=class_names or None)
