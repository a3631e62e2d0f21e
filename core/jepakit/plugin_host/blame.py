"""Whose fault is it? An exception that comes out of a plugin's code, turned into one that names the plugin, the role and the samples.

The traceback knows: the innermost frame that runs code of a plugin says which one, `self` of that frame says in which role, and the
`Sample` or `Batch` that a frame holds says on which data. So attribution costs a run nothing until something goes wrong, and no call
of a component has to be wrapped.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch

from jepakit.contracts import (
    Batch,
    Encoder,
    Masker,
    Modality,
    Objective,
    Predictor,
    Reader,
    Sample,
    TargetProvider,
    TargetTransform,
    Tokenizer,
    ViewMaker,
)
from jepakit.errors import ComponentError, ContractError, JepakitError
from jepakit.plugin_host.status import PluginStatus

ROLE_CLASSES: tuple[tuple[str, type], ...] = (
    ("reader", Reader), ("view", ViewMaker), ("tokenizer", Tokenizer), ("masker", Masker), ("encoder", Encoder), ("predictor", Predictor),
    ("transform", TargetTransform), ("target", TargetProvider), ("objective", Objective), ("modality", Modality),
)  # fmt: skip
SHOWN = 8
"""Sample ids in a sentence; a batch may have thousands."""


@dataclass(frozen=True)
class Place:
    """One frame of a traceback. role, kind: of the component whose method it is, else "". samples: ids of what it was working on."""

    module: str
    line: int
    role: str = ""
    kind: str = ""
    samples: tuple[str, ...] = ()


class WorkerError(Exception):
    """What a data worker raised, with its traceback in words: exceptions lose theirs on the way to another process."""

    def __init__(self, said: str, places: tuple[Place, ...]) -> None:
        super().__init__(said, places)
        self.said, self.places = said, places

    def __str__(self) -> str:
        return self.said


@contextlib.contextmanager
def attributed(plugins: Sequence[PluginStatus], suspect: tuple[PluginStatus, str, str] | None = None) -> Iterator[None]:
    """Whatever a plugin's code raises inside comes out as a ComponentError that names it, with what it raised as the cause.

    suspect: (plugin, role, name) that is to blame when the traceback shows no plugin, for calls that fail before they arrive.
    Errors of jepakit's own classes are sentences already and pass, a broken contract with the samples added; so do interrupts and a
    machine out of memory.
    """
    try:
        yield
    except ContractError as error:
        samples = _samples(places(error))
        if not samples or "sample" in str(error):
            raise
        raise ContractError(f"{error} (sample{'' if len(samples) == 1 else 's'} {_listed(samples)})") from error
    except (JepakitError, MemoryError, torch.OutOfMemoryError):
        raise
    except (Exception, SystemExit) as error:
        if (found := _component_error(error, plugins, suspect)) is None:
            raise
        raise found from error


def places(error: BaseException) -> tuple[Place, ...]:
    """The frames that an exception came through, outermost first; of the process it was raised in."""
    if isinstance(error, WorkerError):
        return error.places
    return tuple(_place(frame, line) for frame, line in traceback.walk_tb(error.__traceback__))


def owner(module: str, plugins: Sequence[PluginStatus]) -> PluginStatus | None:
    """The plugin that a module belongs to: the one that shares the longest beginning of its name; None for anybody else's."""
    best, length = None, 0
    for status in plugins:
        for known in status.modules():
            if (shared := _shared(module, known)) > length:
                best, length = status, shared
    return best


def role_of(component: object) -> str:
    """The role that an object plays, "" for none."""
    return next((role for role, kind in ROLE_CLASSES if isinstance(component, kind)), "")


def component_name(status: PluginStatus, role: str, kind: str) -> str:
    """The name under which a plugin registers the class `kind`, or the class name."""
    found = [spec for spec in status.components if spec.role == role]
    exact = next((spec.name for spec in found if spec.target.endswith(f":{kind}")), None)
    return exact or (found[0].name if len(found) == 1 else kind)


def said(error: BaseException) -> str:
    """An exception in one line."""
    if isinstance(error, WorkerError):
        return error.said
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _component_error(
    error: BaseException, plugins: Sequence[PluginStatus], suspect: tuple[PluginStatus, str, str] | None
) -> ComponentError | None:
    way = places(error)
    outside = [status for status in plugins if not status.built_in]
    guilty = [(place, status) for place in reversed(way) if (status := owner(place.module, outside)) is not None]
    if guilty:
        place, status = guilty[0]
        at = next((near for near, whose in guilty if near.role and whose is status), place)
        role = at.role or "code"
        name, where = component_name(status, role, at.kind) if at.role else place.module, f" ({place.module}, line {place.line})"
    elif suspect is not None and not suspect[0].built_in:
        (status, role, name), where = suspect, ""
    else:
        return None
    samples = _samples(way)
    on = f" on sample{'' if len(samples) == 1 else 's'} {_listed(samples)}" if samples else ""
    return ComponentError(
        f"{role} '{name}' of {status.distribution} {status.version} failed{on}: {said(error)}{where}; "
        f"tell its authors, or use another {role} (JEPAKIT_TRACEBACK=1 shows the traceback)",
        distribution=status.distribution,
        version=status.version,
        role=role,
        name=name,
        samples=samples,
    )


def _place(frame: FrameType, line: int) -> Place:
    known = frame.f_locals
    component = known.get("self")
    role = role_of(component)
    return Place(str(frame.f_globals.get("__name__", "")), line, role, type(component).__name__ if role else "", _at_work_on(known, role))


def _at_work_on(known: dict[str, Any], role: str) -> tuple[str, ...]:
    for value in known.values():
        if isinstance(value, Sample):
            return (str(value.id),)
    for value in known.values():
        if isinstance(value, Batch):
            return tuple(map(str, value.ids))
    return (f"number {known['index']}",) if role == "reader" and isinstance(known.get("index"), int) else ()


def _samples(way: Sequence[Place]) -> tuple[str, ...]:
    """Of the innermost frame that knows any; one that knows a single sample before one that knows the batch."""
    known = [place.samples for place in reversed(way) if place.samples]
    return next((ids for ids in known if len(ids) == 1), known[0] if known else ())


def _listed(samples: Sequence[str]) -> str:
    more = f" and {len(samples) - SHOWN} more" if len(samples) > SHOWN else ""
    return ", ".join(samples[:SHOWN]) + more


def _shared(module: str, known: str) -> int:
    """How many parts two dotted names have in common from the left."""
    count = 0
    for ours, theirs in zip(module.split("."), known.split(".")):
        if ours != theirs:
            break
        count += 1
    return count
