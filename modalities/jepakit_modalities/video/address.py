"""What stands after --data: where films are, and how clips are cut from them."""

from __future__ import annotations

from pydantic import Field, ValidationError

from jepakit.sdk import DataError, Settings


class ClipOptions(Settings):
    """Options behind `::`, as in `films/::frames=16::every=2::size=112`. Defaults: V-JEPA (arXiv 2404.08471), section 3.3, but for size."""

    frames: int = Field(16, ge=1, description="frames of a clip")
    every: int = Field(4, ge=1, description="frames of the film from one frame of a clip to the next")
    stride: int | None = Field(None, ge=1, description="frames of the film from the start of a clip to that of the next; None = no overlap")
    size: int | None = Field(None, ge=1, description="side of the square that is cut from the middle and resized; None = as filmed")
    first: float = Field(0.0, ge=0, lt=1, description="share of each film that is left out at its start")
    last: float = Field(1.0, gt=0, le=1, description="share of each film after which nothing is used")

    @property
    def span(self) -> int:
        """Frames of the film from the first to the last frame of a clip, both counted."""
        return (self.frames - 1) * self.every + 1

    def starts(self, count: int) -> range:
        """Numbers of the first frames of all clips of a film of `count` frames."""
        begin, end = round(self.first * count), round(self.last * count)
        return range(begin, end - self.span + 1, self.stride or self.frames * self.every)


def parsed(source: str) -> tuple[str, ClipOptions]:
    """Path and options. DataError for an option that does not exist, with all that do."""
    path, *pairs = source.split("::")
    given = dict(pair.partition("=")[::2] for pair in pairs)
    try:
        return path, ClipOptions.model_validate(given, strict=False)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
        raise DataError(f"{source}: {said}; options are {', '.join(ClipOptions.model_fields)}, as in films/::frames=16::every=2") from error
