"""What a run looks like: the same events as JSON, as plain lines, live."""

from __future__ import annotations

import io
import json
import math

import pytest
from rich.console import Console
from rich.live import Live

from jepakit.cli.screen import LiveScreen, duration, line_of, open_screen, show_json, step_line

STEP = {
    "event": "step",
    "step": 20,
    "total": 100,
    "loss": 0.12345,
    "rank": 17.31,
    "samples_per_s": 1234.5,
    "eta_s": 83.0,
    "verdict": "healthy",
}


def test_step_is_one_line_of_what_was_measured() -> None:
    assert step_line(STEP) == "step 20/100  loss 0.1235  rank 17.3  samples/s 1,234  left 1 min 23 s  healthy"
    assert step_line({"event": "step", "step": 1, "total": 2, "loss": None}) == "step 1/2"


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"event": "checkpoint", "step": 3, "path": "runs/a/checkpoints/step-3"}, "saved runs/a/checkpoints/step-3"),
        ({"event": "warning", "sentence": "take care"}, "warning: take care"),
        ({"event": "done", "status": "finished", "step": 9, "run": "r"}, "finished at step 9"),
        ({"event": "done", "status": "collapsed", "step": 9, "sentence": "one point"}, "collapsed at step 9: one point"),
        ({"event": "plan", "lines": ["a", "b"]}, "a\nb"),
        ({"event": "something new"}, ""),
    ],
)
def test_event_is_one_line(event: dict[str, object], line: str) -> None:
    assert line_of(event) == line


def test_json_line_can_be_read_whatever_the_numbers_are(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"event": "step", "loss": math.nan, "parts": [math.inf, 1.5], "path": io, "flag": True})
    said = json.loads(capsys.readouterr().out)
    assert (said["loss"], said["parts"], said["flag"]) == (None, [None, 1.5], True)


def test_screen_without_a_terminal_prints_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with open_screen(as_json=False) as emit:
        emit(STEP)
    assert capsys.readouterr().out.startswith("step 20/100")
    with open_screen(as_json=True) as emit:
        emit(STEP)
    assert json.loads(capsys.readouterr().out) == STEP


def test_live_screen_keeps_what_changed() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with Live(console=console, auto_refresh=False) as live:
        screen = LiveScreen(live)
        for verdict in ("healthy", "healthy", "shrinking", "shrinking"):
            screen({**STEP, "verdict": verdict, "sentence": f"it is {verdict} [really]"})
            live.refresh()
        screen({"event": "checkpoint", "step": 3, "path": "there"})
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert said.count("it is shrinking [really]") == 1
    assert "saved there" in said
    assert step_line(STEP) in said


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (7500, "2 h 5 min"), (math.inf, "0 s"), (-3, "0 s")]
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words
