"""Sound files → (C, T) float32, full scale one, and their rate, by libsndfile. Only `DataError` leaves this module."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jepakit.sdk import DataError, ReadBudget

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".w64", ".caf"})
BUDGET = ReadBudget()
LONGEST_S = 60.0
"""Seconds that one sample may last. An encoder attends over all of a sample, so longer recordings are cut into windows."""
MOST_CHANNELS = 64
RATES = (100, 2_000_000)
"""Lowest and highest rate in Hz that is believed: seismic to ultrasonic."""


@dataclass(frozen=True)
class Header:
    """What a file says about itself."""

    rate_hz: int
    channels: int
    frames: int


def header(path: Path) -> Header:
    """Rate, channels and length of a file, without decoding it."""
    import soundfile

    try:
        BUDGET.check_file(path)
        with soundfile.SoundFile(str(path)) as file:
            found = Header(int(file.samplerate), int(file.channels), int(file.frames))
    except (OSError, soundfile.SoundFileError, RuntimeError, ValueError, TypeError) as error:
        raise unreadable(path, error) from error
    if not RATES[0] <= found.rate_hz <= RATES[1] or not 1 <= found.channels <= MOST_CHANNELS:
        raise DataError(f"{path}: declares {found.channels} channels at {found.rate_hz} Hz; the header is damaged: replace the file")
    if found.frames < 1:
        raise DataError(f"{path}: holds no sound; remove it")
    return found


def decode(path: Path, start: int = 0, frames: int | None = None) -> tuple[np.ndarray, int]:
    """(C, T) float32 and the rate in Hz: `frames` frames from `start`, or all when they last at most a minute.

    Integer formats come out divided by their full scale, 16 and 24 bits exactly; floating-point files as they are, NaN included.
    """
    import soundfile

    said = header(path)
    count = said.frames - start if frames is None else frames
    if frames is None and count > LONGEST_S * said.rate_hz:
        raise DataError(
            f"{path}: lasts {count / said.rate_hz:.0f} s, a sample may last {LONGEST_S:g} s; cut it into windows: PATH::window_s=10"
        )
    BUDGET.check_decoded(str(path), 4 * count * said.channels, path.stat().st_size)
    try:
        with soundfile.SoundFile(str(path)) as file:
            if start:
                file.seek(start)
            sound = file.read(count, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError, RuntimeError, ValueError, TypeError) as error:
        raise unreadable(path, error) from error
    if len(sound) < count:
        raise DataError(f"{path}: declares {said.frames} frames and ends after {start + len(sound)}; it is truncated: replace it")
    return np.ascontiguousarray(sound.T), said.rate_hz


def unreadable(path: Path, error: Exception) -> DataError:
    """One sentence about a file that libsndfile refuses."""
    reason = " ".join(str(error).split()).replace(f"Error opening '{path}': ", "")
    return DataError(f"{path}: not a readable sound file ({reason}); expected wav, flac, ogg, mp3 or another format of libsndfile")
