"""What can stand behind the question mark of a path: `scenes/?quantity=db&tile=128` are tiles of 128 pixels of scenes in decibels."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl

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
    """The path before the question mark and the options behind it; DataError for what is no option."""
    path, _, query = source.partition("?")
    try:
        options = SourceOptions.model_validate(dict(parse_qsl(query, keep_blank_values=True)), strict=False)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
        raise DataError(
            f"{source}: {said}; options are {', '.join(SourceOptions.model_fields)}, as in path?quantity=db&tile=128"
        ) from error
    return Path(path).expanduser(), options
