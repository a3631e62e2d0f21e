"""What stands after --data of an EEG run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError

from jepakit.sdk import DataError, Settings
from jepakit_modalities.timeseries.address import names


class EegOptions(Settings):
    """Options behind `::`, as in `folder::rate=128::seconds=4`. Nothing is filtered, resampled or mixed unless one of them says so."""

    label: str | None = Field(None, description="npz: array that holds the label")
    group: str | None = Field(None, description="npz: array that holds the subject")
    subjects: str | None = Field(None, description="only subjects whose number is in first:last")
    keep: Annotated[tuple[str, ...], BeforeValidator(names)] = Field((), description="only these electrodes: Oz+O1")
    rate: float | None = Field(None, gt=0, description="resample to this many samples a second")
    band: Annotated[tuple[float, float] | None, BeforeValidator(lambda text: tuple(text.split(":")) if isinstance(text, str) else text)] = (
        Field(None, description="zero-phase band-pass in hertz, low:high (4th-order Butterworth)")
    )
    align: Literal["none", "subject", "recording"] = Field(
        "none", description="Euclidean alignment: channels decorrelated over all of a subject, or over each recording; no labels are used"
    )
    whiten: bool = Field(False, description="each electrode over its subject's mean spectrum, after alignment; no labels are used")
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
