"""The one reader of images: a list of names and a function that fetches number i, wherever the pixels lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from jepakit.sdk import DataError, Reader, Sample
from jepakit_modalities.image.listing import Listing

CHANNELS = {1: ("grey",), 3: ("red", "green", "blue")}
"""Names of channels where their number says what they are; any others are numbered."""


class ImageReader(Reader):
    """Images of one channel count. A grey image in a colour set is repeated to three channels; any other mixture is an error."""

    def __init__(self, listing: Listing, fetch: Callable[[int], np.ndarray], *, origin: str) -> None:
        if not listing.ids:
            raise DataError(f"{origin}: holds no image; expected files or rows with images in them")
        if len(set(listing.ids)) != len(listing.ids):
            ((name, times),) = Counter(listing.ids).most_common(1)
            raise DataError(f"{origin}: {times} images are called '{name}'; masks are keyed by the name, so list each image once")
        self.listing, self.fetch, self.origin = listing, fetch, origin

    def __len__(self) -> int:
        return len(self.listing.ids)

    def read(self, index: int) -> Sample:
        listing = self.listing
        image = self._alike(self.fetch(index), index)
        return Sample(
            streams={"main": image},
            id=listing.ids[index],
            label=None if listing.labels is None else listing.labels[index],
            group=None if listing.groups is None else listing.groups[index],
            meta={"channels": CHANNELS.get(len(image), tuple(map(str, range(len(image)))))},
        )

    @cached_property
    def first(self) -> np.ndarray:
        """The first image, which says what the others must be like."""
        return self.fetch(0)

    def _alike(self, image: np.ndarray, index: int) -> np.ndarray:
        channels, expected = image.shape[0], self.first.shape[0]
        if channels == 1 and expected == 3:
            return np.repeat(image, 3, axis=0)
        if channels != expected or image.dtype != self.first.dtype:
            raise DataError(
                f"{self.origin}: {self.listing.ids[index]} has {channels} channels of {image.dtype}, {self.listing.ids[0]} has "
                f"{expected} of {self.first.dtype}; one run needs one kind of image: convert them, or put them in folders of their own"
            )
        return image

    def spec(self) -> Mapping[str, Any]:
        names = self.listing.class_names
        return {
            "kind": "image",
            "channels": self.first.shape[0],
            "dtype": str(self.first.dtype),
            "shape": list(self.first.shape),
            "class_names": None if names is None else list(names),
            "count": len(self),
            **({} if self.listing.label_kind is None else {"label_kind": self.listing.label_kind}),
        }

    def fingerprint(self) -> str:
        return self.listing.digest
