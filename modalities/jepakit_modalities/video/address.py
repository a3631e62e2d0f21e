"""What stands after --data: where films are, and how clips are cut from them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationError

from jepakit.sdk import DataError, Settings


def lengths(said: object) -> object:
    """One number, or several as in "8|16", as a tuple: rising, each once. What is no number is left to be refused."""
    parts = said.split("|") if isinstance(said, str) else said if isinstance(said, tuple | list) else (said,)
    return tuple(sorted({int(part) for part in parts})) if all(str(part).isdigit() for part in parts) else tuple(parts)


class ClipOptions(Settings):
    """Options behind `::`, as in `films/::frames=16::every=2::size=112`. Defaults: V-JEPA (arXiv 2404.08471), section 3.3, but for size."""

    frames: Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(lengths)] = Field(
        (16,), min_length=1, description="frames of a clip; several, as in 8|16: every film is cut into clips of each, batched apart"
    )
    every: int = Field(4, ge=1, description="frames of the film from one frame of a clip to the next")
    stride: int | None = Field(None, ge=1, description="frames of the film from the start of a clip to that of the next; None = no overlap")
    size: int | None = Field(None, ge=1, description="side of the square that is cut from the middle and resized; None = as filmed")
    first: float = Field(0.0, ge=0, lt=1, description="share of each film that is left out at its start")
    last: float = Field(1.0, gt=0, le=1, description="share of each film after which nothing is used")
    stills: str | None = Field(None, description="folder of pictures that are mixed in, each a short clip in which nothing moves")
    still: int = Field(2, ge=1, description="frames of such a clip; as many as a tubelet has")

    def span(self, frames: int) -> int:
        """Frames of the film from the first to the last frame of a clip of `frames`, both counted."""
        return (frames - 1) * self.every + 1

    def cuts(self, count: int) -> list[range]:
        """Numbers of the frames of all clips of a film of `count` frames, shorter clips first."""
        begin, end = round(self.first * count), round(self.last * count)
        return [
            range(start, start + frames * self.every, self.every)
            for frames in self.frames
            for start in range(begin, end - self.span(frames) + 1, self.stride or frames * self.every)
        ]


def parsed(source: str) -> tuple[str, ClipOptions]:
    """Path and options. DataError for an option that does not exist, with all that do."""
    path, *pairs = source.split("::")
    given = dict(pair.partition("=")[::2] for pair in pairs)
    try:
        return path, ClipOptions.model_validate(given, strict=False)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
        raise DataError(f"{source}: {said}; options are {', '.join(ClipOptions.model_fields)}, as in films/::frames=16::every=2") from error
