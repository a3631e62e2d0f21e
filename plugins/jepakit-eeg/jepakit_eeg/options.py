"""What stands after --data of an EEG run."""

from __future__ import annotations

from pydantic import Field, ValidationError

from jepakit.sdk import DataError, Settings


class EegOptions(Settings):
    """Options behind `::`, as in `folder::rate=128::seconds=4`."""

    label: str | None = Field(None, description="npz: array that holds the label")
    group: str | None = Field(None, description="npz: array that holds the subject")
    subjects: str | None = Field(None, description="npz: only groups first:last")
    rate: float | None = Field(None, gt=0, description="resample to this many samples a second")
    seconds: float | None = Field(None, gt=0, description="cut into pieces of this length")
    standardise: bool = Field(False, description="every channel by mean and spread over all of its subject's samples; no labels are used")


def parsed(source: str) -> tuple[str, EegOptions]:
    """The path and the options."""
    path, *pairs = source.split("::")
    try:
        return path, EegOptions.model_validate(dict(pair.partition("=")[::2] for pair in pairs), strict=False)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
        raise DataError(f"{source}: {said}; options are {', '.join(EegOptions.model_fields)}, as in folder::rate=128") from error
