"""What stands after --data: one or several files, and how they are to be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError

from jepakit.sdk import DataError, Settings


def steps(text: object) -> object:
    """ "a:b" → (a, b)."""
    return tuple(text.split(":")) if isinstance(text, str) else text


def names(text: object) -> object:
    """ "a+b" → ("a", "b")."""
    return tuple(text.split("+")) if isinstance(text, str) else text


class SourceOptions(Settings):
    """Options behind `::`, as in `a.npz,b.npz::length=256`. Nothing is resampled, cut or scaled unless one of them says so."""

    label: str | None = Field(None, description="array or column that holds the label")
    group: str | None = Field(None, description="array or column that holds the subject")
    layout: Literal["columns", "rows", "long"] = Field(
        "columns", description="of a table: a column is a channel and a row a step; or a row is a series; or a row is a step of a series"
    )
    series: str = Field("series", description="layout=long: column that tells series apart")
    time: str | None = Field(None, description="column of times; it orders rows and gives the rate")
    channels: Annotated[tuple[str, ...], BeforeValidator(names)] = Field((), description="channels to read, by name: a+b")
    rate: float | None = Field(None, gt=0, description="resample to this many steps a second")
    length: int | None = Field(None, ge=2, description="resample to this many steps")
    univariate: bool = Field(False, description="every channel a series of its own")
    window: int | None = Field(None, ge=1, description="steps of a piece")
    stride: int = Field(1, ge=1, description="steps from one piece to the next")
    horizon: int = Field(0, ge=0, description="steps after a piece that are its label")
    rows: Annotated[tuple[int, int] | None, BeforeValidator(steps)] = Field(None, description="first and last step used: a:b")
    scaler: Annotated[tuple[int, int] | None, BeforeValidator(steps)] = Field(
        None, description="standardise channels by these steps, those of the training part: a:b"
    )
    balance: Literal["none", "sqrt", "even"] = Field("none", description="several files: how often small ones are read")


@dataclass(frozen=True)
class Address:
    """Files, and the options that hold for all of them."""

    paths: tuple[str, ...]
    options: SourceOptions


def parsed(source: str) -> Address:
    """DataError for an option that does not exist, with all that do."""
    files, *pairs = source.split("::")
    given = dict(pair.partition("=")[::2] for pair in pairs)
    try:
        options = SourceOptions.model_validate(given, strict=False)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
        raise DataError(f"{source}: {said}; options are {', '.join(SourceOptions.model_fields)}, as in a.npz::length=256") from error
    if options.horizon and options.window is None:
        raise DataError(f"{source}: horizon={options.horizon} needs a window; add ::window=STEPS")
    whole = (files,) if Path(files).expanduser().exists() else tuple(part.strip() for part in files.split(","))
    return Address(whole, options)
