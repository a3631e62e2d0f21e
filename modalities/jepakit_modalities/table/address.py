"""What a user types for a table: a path and, behind `::`, what its columns mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from jepakit.sdk import DataError

SPLITS = ("train", "test", "all")
ONE = ("label", "group", "id", "split", "task")
MANY = ("drop", "categorical", "numeric")
TASKS = ("classification", "regression")


@dataclass(frozen=True)
class Address:
    """`PATH::label=income,drop=fnlwgt,drop=id`: a file and what its columns mean.

    label, group, id: names of columns; None: a column called `label` or `group` if there is one, no id column.
    split: rows of this value of the column `split`, whatever split is asked for; None: those of the split asked for.
    task: "classification" or "regression"; None: by what the labels are. drop: columns that are left out.
    categorical, numeric: columns to be read as names, or as numbers, whatever they look like.
    """

    path: Path
    label: str | None = None
    group: str | None = None
    id: str | None = None
    split: str | None = None
    task: str | None = None
    drop: tuple[str, ...] = field(default=())
    categorical: tuple[str, ...] = field(default=())
    numeric: tuple[str, ...] = field(default=())


def parse(source: str) -> Address:
    """The address behind a source. Raises DataError for an option that does not exist or is given twice."""
    path, _, said = source.partition("::")
    one: dict[str, str] = {}
    many: dict[str, tuple[str, ...]] = {}
    for part in filter(None, said.split(",")):
        key, equals, value = part.partition("=")
        if key not in ONE + MANY or not equals or not value:
            near = get_close_matches(key, ONE + MANY, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise DataError(f"{source}: '{part}' is no option of a table; expected {', '.join(ONE + MANY)}, as in PATH::label=NAME.{hint}")
        if key in one:
            raise DataError(f"{source}: '{key}' is given twice; keep one")
        if key in MANY:
            many[key] = (*many.get(key, ()), value)
        else:
            one[key] = value
    if "task" in one and one["task"] not in TASKS:
        raise DataError(f"{source}: task={one['task']}; expected {' or '.join(TASKS)}")
    return Address(
        Path(path).expanduser(),
        one.get("label"),
        one.get("group"),
        id=one.get("id"),
        split=one.get("split"),
        task=one.get("task"),
        drop=many.get("drop", ()),
        categorical=many.get("categorical", ()),
        numeric=many.get("numeric", ()),
    )
