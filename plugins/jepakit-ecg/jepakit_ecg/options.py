"""What stands after --data of an ECG run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError

from jepakit.sdk import DataError, Settings
from jepakit_modalities.timeseries.address import names


class EcgOptions(Settings):
    """Options behind `::`, as in `folder::rate=125::beats=yes`. Nothing is filtered or resampled unless one of them says so."""

    label: str | None = Field(None, description="npz: array that holds the label")
    group: str | None = Field(None, description="npz: array that holds the patient")
    keep: Annotated[tuple[str, ...], BeforeValidator(names)] = Field((), description="npz: only records with these labels: a+b")
    records: Annotated[tuple[str, ...], BeforeValidator(names)] = Field((), description="WFDB: only these records: 100+101")
    split: Literal["DS1", "DS2"] | None = Field(None, description="WFDB: records of the split of de Chazal et al. 2004 of MIT-BIH")
    rate: float | None = Field(None, gt=0, description="resample to this many samples a second")
    band: Annotated[tuple[float, float] | None, BeforeValidator(lambda text: tuple(text.split(":")) if isinstance(text, str) else text)] = (
        Field(None, description="zero-phase band-pass in hertz, low:high (4th-order Butterworth)")
    )
    seconds: float | None = Field(None, gt=0, description="cut into pieces of this length")
    beats: bool = Field(False, description="WFDB: a sample is a beat in the middle of `seconds`, its label the AAMI class, its facts RR")
    balance: Literal["none", "sqrt", "even"] = Field("none", description="several paths: how often small ones are read")
    centre: bool = Field(False, description="beats=yes: minus the median beat of its record, which tells the heart")
    every: int = Field(1, ge=1, description="beats=yes: every n-th beat")


def parsed(source: str) -> tuple[tuple[str, ...], EcgOptions]:
    """Paths, separated by commas, and options."""
    files, *pairs = source.split("::")
    try:
        options = EcgOptions.model_validate(dict(pair.partition("=")[::2] for pair in pairs), strict=False)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
        raise DataError(f"{source}: {said}; options are {', '.join(EcgOptions.model_fields)}, as in folder::rate=125") from error
    if options.beats and options.seconds is None:
        raise DataError(f"{source}: beats=yes needs the length of a sample; add ::seconds=3")
    return tuple(part.strip() for part in files.split(",")), options
