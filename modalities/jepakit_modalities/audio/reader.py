"""The one reader of audio: a list of names and a function that fetches clip i, wherever the sound lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property
from math import gcd
from typing import Any

import numpy as np

from jepakit.sdk import DataError, Reader, Sample
from jepakit_modalities.image.listing import Listing

Clip = tuple[np.ndarray, int]
"""(C, T) float32 and its rate in Hz."""


class AudioReader(Reader):
    """Clips of one rate and one channel count, of any length. rate_hz: clips of other rates are resampled to it when they are read."""

    def __init__(self, listing: Listing, fetch: Callable[[int], Clip], *, origin: str, rate_hz: int | None = None) -> None:
        if not listing.ids:
            raise DataError(f"{origin}: holds no clip; expected files or rows with sound in them")
        if len(set(listing.ids)) != len(listing.ids):
            ((name, times),) = Counter(listing.ids).most_common(1)
            raise DataError(f"{origin}: {times} clips are called '{name}'; masks are keyed by the name, so list each clip once")
        self.listing, self.fetch, self.origin, self.rate_hz = listing, fetch, origin, rate_hz

    def __len__(self) -> int:
        return len(self.listing.ids)

    def read(self, index: int) -> Sample:
        listing = self.listing
        sound, rate = self._alike(index)
        return Sample(
            streams={"main": sound},
            id=listing.ids[index],
            label=None if listing.labels is None else listing.labels[index],
            group=None if listing.groups is None else listing.groups[index],
            meta={"rate_hz": rate, "origin": f"{self.origin}: {listing.ids[index]}"},
        )

    @cached_property
    def first(self) -> tuple[int, int]:
        """Channels and rate of the first clip, which all others must share."""
        sound, rate = self._resampled(0)
        return len(sound), rate

    def _resampled(self, index: int) -> Clip:
        sound, rate = self.fetch(index)
        return (sound, rate) if self.rate_hz in (None, rate) else (resampled(sound, rate, self.rate_hz), self.rate_hz)

    def _alike(self, index: int) -> Clip:
        sound, rate = self._resampled(index)
        channels, expected = self.first
        if rate != expected:
            raise DataError(
                f"{self.origin}: {self.listing.ids[index]} is sampled at {rate} Hz, {self.listing.ids[0]} at {expected} Hz; one run needs "
                f"one rate: PATH::rate_hz={min(rate, expected)} resamples what differs"
            )
        if len(sound) != channels:
            raise DataError(
                f"{self.origin}: {self.listing.ids[index]} has {len(sound)} channels, {self.listing.ids[0]} has {channels}; "
                "one run needs one number: convert them, or put them in folders of their own"
            )
        return sound, rate

    def spec(self) -> Mapping[str, Any]:
        names = self.listing.class_names
        channels, rate = self.first
        return {
            "kind": "audio",
            "channels": channels,
            "rate_hz": rate,
            "class_names": None if names is None else list(names),
            "count": len(self),
        }

    def fingerprint(self) -> str:
        return f"{self.listing.digest}{f'@{self.rate_hz}' if self.rate_hz else ''}"


def resampled(sound: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """(C, T) at another rate, by a polyphase low-pass filter (scipy's Kaiser window); the length is rounded up."""
    from scipy.signal import resample_poly

    shared = gcd(rate, wanted)
    return np.asarray(resample_poly(sound, wanted // shared, rate // shared, axis=-1), dtype=np.float32)
