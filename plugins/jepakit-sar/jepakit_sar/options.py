"""What can stand behind a path: `scenes/::quantity=db,tile=128` are tiles of 128 pixels of scenes in decibels."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from jepakit.sdk import DataError, Settings
from jepakit_sar.quantity import Quantity


class SourceOptions(Settings):
    """How a source is read."""

    quantity: Quantity = Field("amplitude", description="what real numbers mean; complex ones say so themselves")
    nodata: float | None = Field(None, description="value that stands for no data; NaN always does, and what a TIFF file declares")
    tile: int | None = Field(None, ge=8, description="side of a tile in pixels; None = whole images, and 256 for TIFF files above 512")
    step: int | None = Field(None, ge=1, description="pixels from one tile to the next; None = the tile")


def parsed(source: str) -> tuple[Path, SourceOptions]:
    """The path before `::` and the options behind it; DataError for what is no option."""
    path, _, said = source.partition("::")
    pairs = [part.partition("=") for part in said.split(",") if part]
    try:
        options = SourceOptions.model_validate({key: value for key, _, value in pairs}, strict=False)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
        raise DataError(
            f"{source}: {wrong}; options are {', '.join(SourceOptions.model_fields)}, as in path::quantity=db,tile=128"
        ) from error
    return Path(path).expanduser(), options
