"""From a path to recordings: npz, or anything that MNE reads (EDF, BDF, FIF, BrainVision, EEGLAB), one file or a folder of them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from warnings import catch_warnings, simplefilter

import numpy as np

from jepakit.sdk import DataError
from jepakit_eeg.options import EegOptions
from jepakit_modalities.timeseries.address import SourceOptions
from jepakit_modalities.timeseries.files import load
from jepakit_modalities.timeseries.recordings import Recordings, resampled, windowed

SUFFIXES = (".edf", ".bdf", ".fif", ".vhdr", ".set")
DAMAGED = (OSError, ValueError, TypeError, LookupError, RuntimeError, AttributeError, OverflowError, MemoryError, AssertionError)
"""What MNE raises on damaged files."""


def recordings(path: Path, options: EegOptions) -> Recordings:
    """All recordings of a path, with what the options ask for."""
    if path.suffix.lower() == ".npz":
        found = load(path, SourceOptions(label=options.label, group=options.group))
    else:
        found = from_mne(path)
    if options.subjects is not None:
        found = of_subjects(found, options.subjects, path)
    found = resampled(found, rate=options.rate, length=None)
    if options.standardise:
        found = standardised(found)
    if options.seconds is not None:
        if found.rate_hz is None:
            raise DataError(f"{path}: seconds={options.seconds:g} needs the rate, and the file has no sfreq")
        size = round(options.seconds * found.rate_hz)
        found = windowed(found, size, size, 0, None)
    return found


def from_mne(path: Path) -> Recordings:
    """One file, or all below a folder (a BIDS tree); the subject is the `sub-X` of the name, else the file itself."""
    files = sorted(one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise DataError(f"no EEG at {path}; expected a file or a folder of {', '.join(SUFFIXES)}, or an .npz file")
    read = [one_file(file) for file in files]
    names, rate = read[0][1], read[0][2]
    for file, (_, theirs, rate_hz) in zip(files, read):
        if theirs != names or rate_hz != rate:
            raise DataError(
                f"{file}: {len(theirs)} channels at {rate_hz:g} Hz, {files[0]} has {len(names)} at {rate:g} Hz; open one kind at a time"
            )
    subjects = [found.group(1) if (found := re.search(r"sub-([^_/\\]+)", str(file))) else file.stem for file in files]
    ids = [str(file.relative_to(path)) if path.is_dir() else file.name for file in files]
    return Recordings(
        [signal for signal, _, _ in read], ids, groups=subjects, rate_hz=rate, channel_names=names, units=("uV",) * len(names)
    )


def one_file(file: Path) -> tuple[np.ndarray, tuple[str, ...], float]:
    """EEG channels in microvolts (C, T), their names, the rate."""
    import mne

    try:
        with catch_warnings():
            simplefilter("ignore")  # MNE warns of much that it repairs
            raw = mne.io.read_raw(file, preload=True, verbose="ERROR").pick("eeg")
    except DAMAGED as error:
        raise DataError(f"{file}: not readable by MNE ({' '.join(str(error).split())[:200]})") from error
    return (raw.get_data() * 1e6).astype(np.float32), tuple(raw.ch_names), float(raw.info["sfreq"])


def of_subjects(found: Recordings, text: str, path: Path) -> Recordings:
    """Only groups first:last, as numbers."""
    first, _, last = text.partition(":")
    if found.groups is None or not first.isdigit() or not (last or first).isdigit():
        raise DataError(f"{path}: subjects={text}: expected first:last and a file whose groups are numbers")
    rows = [row for row, name in enumerate(found.groups) if name.isdigit() and int(first) <= int(name) <= int(last or first)]
    if not rows:
        raise DataError(f"{path}: subjects={text}: there is none of them")
    return replace(
        found,
        arrays=[found.arrays[row] for row in rows],
        ids=[found.ids[row] for row in rows],
        labels=None if found.labels is None else [found.labels[row] for row in rows],
        groups=[found.groups[row] for row in rows],
    )


def standardised(found: Recordings) -> Recordings:
    """Every channel minus its mean, over its spread, both over all samples of its subject."""
    groups = np.array(found.groups if found.groups is not None else found.ids)
    arrays = list(found.arrays)
    for name in np.unique(groups):
        rows = np.flatnonzero(groups == name)
        joined = np.concatenate([found.arrays[row] for row in rows], axis=1)
        mean, spread = np.nanmean(joined, axis=1, keepdims=True), np.maximum(np.nanstd(joined, axis=1, keepdims=True), 1e-12)
        for row in rows:
            arrays[row] = ((found.arrays[row] - mean) / spread).astype(np.float32)
    return replace(found, arrays=arrays)
