"""What a run looks like while it goes on: a live display on a terminal, plain lines in a file or a pipe, JSON lines on request.

A screen is a callable that takes one event, a dict with "event" and what belongs to it: plan, step, checkpoint, warning, done.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

Event = Mapping[str, Any]
Emit = Callable[[dict[str, Any]], None]
NUMBERS = (
    ("loss", "loss", ".4f"),
    ("rank", "rank", ".1f"),
    ("position_ratio", "position ratio", ".2f"),
    ("probe", "probe", ".3f"),
    ("samples_per_s", "samples/s", ",.0f"),
)
"""What a step shows: (key of the event, words, format)."""


@contextlib.contextmanager
def open_screen(as_json: bool) -> Iterator[Emit]:
    """The screen that fits where the output goes, until the block ends."""
    if as_json:
        yield show_json
    elif sys.stdout.isatty():
        from rich.live import Live

        with Live(refresh_per_second=4, transient=True) as live:
            yield LiveScreen(live)
    else:
        yield show_line


def show_json(event: Event) -> None:
    """One object on one line. A number that is not finite becomes null, which JSON can say."""
    print(json.dumps({key: _jsonable(value) for key, value in event.items()}), flush=True)


def show_line(event: Event) -> None:
    """One plain line; nothing for an event that has nothing to say."""
    if line := line_of(event):
        print(line, flush=True)


class LiveScreen:
    """Two lines that change in place; what is worth keeping scrolls away above them."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._verdict = ""

    def __call__(self, event: dict[str, Any]) -> None:
        if event["event"] != "step":
            if line := line_of(event):
                self._live.console.print(line, markup=False, highlight=False)
            return
        verdict = str(event.get("verdict", ""))
        if verdict != self._verdict and event.get("sentence"):
            self._live.console.print(f"step {event['step']}  {verdict}: {event['sentence']}", markup=False, highlight=False)
        self._verdict = verdict
        self._live.update(self._panel(event))

    def _panel(self, event: Event) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        panel = Table.grid()
        panel.add_row(ProgressBar(total=max(1, event["total"]), completed=event["step"], width=60))
        panel.add_row(Text(step_line(event)))
        return panel


def line_of(event: Event) -> str:
    """An event in one line, "" for one that needs none."""
    kind = event["event"]
    if kind == "step":
        return step_line(event)
    if kind == "checkpoint":
        return f"saved {event['path']}"
    if kind == "warning":
        return f"warning: {event['sentence']}"
    if kind == "done":
        sentence = f": {event['sentence']}" if event.get("sentence") else ""
        return f"{event['status']} at step {event['step']}{sentence}"
    return "\n".join(map(str, event.get("lines", ()))) or str(event.get("sentence", ""))


def step_line(event: Event) -> str:
    """Step, loss, rank, speed, time left, verdict; a number that was not measured yet is left out."""
    parts = [f"step {event['step']}/{event['total']}"]
    parts += [f"{words} {event[key]:{form}}" for key, words, form in NUMBERS if event.get(key) is not None]
    if event.get("eta_s") is not None:
        parts.append(f"left {duration(event['eta_s'])}")
    return "  ".join([*parts, str(event.get("verdict", ""))]).rstrip()


def duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = max(0, round(seconds)) if math.isfinite(seconds) else 0
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _jsonable(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)
