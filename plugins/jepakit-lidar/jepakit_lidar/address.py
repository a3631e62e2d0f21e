"""What stands after --data: where sweeps are, which of them, and how they are cut."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationError

from jepakit.sdk import DataError, Settings


class SweepOptions(Settings):
    """Options behind `::`, as in `sweeps/::only=kitti_*,tile=25.6,labels=class`."""

    tile: float = Field(25.6, gt=0, description="side of the square tiles of a sweep, in metres, with the sensor at a corner of four")
    reach: float = Field(51.2, gt=0, description="points farther away than this along x or y are left out, in metres")
    only: str = Field("*", min_length=1, description="patterns of the file names that are read, as in kitti_*|city_*")
    labels: Literal["none", "class", "object"] = Field(
        "none",
        description="LAS classification as a class a point: as it is, or 0 = background (1), 1 = object (2 to 9); 0 and 10 = unknown",
    )


def parsed(source: str) -> tuple[str, SweepOptions]:
    """Path and options. DataError for an option that does not exist, with all that do."""
    path, _, said = source.partition("::")
    given = dict(pair.partition("=")[::2] for pair in said.split(",") if pair)
    try:
        return path, SweepOptions.model_validate(given, strict=False)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
        raise DataError(
            f"{source}: {wrong}; options are {', '.join(SweepOptions.model_fields)}, as in sweeps/::only=kitti_*,tile=25.6"
        ) from error
