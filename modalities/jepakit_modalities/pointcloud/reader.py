"""The one reader of point clouds: a list of names and a function that fetches number i."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from jepakit.sdk import DataError, Reader, Sample
from jepakit_modalities.image.listing import Listing
from jepakit_modalities.pointcloud.cloud import Cloud


class PointReader(Reader):
    """Clouds of any number of points, all with the same columns."""

    def __init__(self, listing: Listing, fetch: Callable[[int], Cloud], *, origin: str) -> None:
        if not listing.ids:
            raise DataError(f"{origin}: holds no cloud; expected files or entries with points in them")
        if len(set(listing.ids)) != len(listing.ids):
            raise DataError(f"{origin}: two clouds have one name; masks are keyed by the name, so list each once")
        self.listing, self.fetch, self.origin = listing, fetch, origin

    def __len__(self) -> int:
        return len(self.listing.ids)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of the first cloud, which all others must have too."""
        return self.fetch(0).columns

    def read(self, index: int) -> Sample:
        listing, cloud = self.listing, self.fetch(index)
        if cloud.columns != self.columns:
            raise DataError(
                f"{self.origin}: {listing.ids[index]} has columns {', '.join(cloud.columns)}, {listing.ids[0]} has "
                f"{', '.join(self.columns)}; one run needs the same ones: convert them, or put them in folders of their own"
            )
        return Sample(
            streams={"main": cloud.points},
            id=listing.ids[index],
            label=None if listing.labels is None else listing.labels[index],
            group=None if listing.groups is None else listing.groups[index],
            meta={"columns": cloud.columns, "origin": cloud.origin},
        )

    def spec(self) -> Mapping[str, Any]:
        names = self.listing.class_names
        return {
            "kind": "pointcloud",
            "columns": list(self.columns),
            "class_names": None if names is None else list(names),
            "count": len(self),
        }

    def fingerprint(self) -> str:
        return self.listing.digest
