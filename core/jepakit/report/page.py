"""A run → one HTML file that works offline: `write_report(run)`. Called by the commands `eval` and `report`.

Everything comes from the run folder (see `artifacts`); neither the data nor the model is needed. A part that is missing or damaged
becomes a sentence in its place, so that a report can be written at any time. `page.html.j2` holds the layout, this file the content.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import jinja2
import yaml

from jepakit import __version__
from jepakit.disk import replace_file
from jepakit.errors import DataError, JepakitError
from jepakit.report import explore, figures
from jepakit.report.artifacts import (
    MaskPictures,
    read_embedding,
    read_evaluation,
    read_json,
    read_masks,
    read_steps,
)
from jepakit.report.embedding import embedding_content
from jepakit.report.table import Line, arrange, number, pooling_lines

T = TypeVar("T")
NOT_EVALUATED = "not evaluated yet: jepakit eval RUN --data …"
NO_VERDICT = "Whether it learned shows against the untrained encoder: jepakit eval RUN --data …"
HEADLINES = {
    "learned": ("good", "Learned"),
    "not learned": ("warn", "Not learned"),
    "unclear": ("plain", "Unclear"),
}
"""Verdicts of an evaluation (`evaluate/verdict`): tone and headline. The sentence comes with the evaluation."""
ALARMS = {
    "collapsed": ("bad", "Collapsed", "The embeddings no longer tell samples apart."),
    "positional": ("bad", "Only position is learned", "Predictions are no better than the mean target of each position."),
    "shrinking": ("warn", "Losing directions", "The embeddings use far fewer directions than they did."),
}
"""Bad states of the collapse watch (`train/monitor`), said on top as long as no evaluation says that the encoder learned."""


@dataclass(frozen=True)
class Verdict:
    """The box on top of the page.

    tone: good, warn, bad or plain. watch: what the collapse watch saw last. line: the key numbers, once there are any.
    """

    tone: str
    headline: str
    sentence: str
    watch: str
    line: Line | None


def write_report(run: Path) -> Path:
    """Write `run/report.html` (whole or not at all) and return its path.

    Raises:
        DataError: if `run` is not a run folder.
        JepakitError: if the page can't be written.
    """
    path = run / "report.html"
    page = render(run)
    try:
        replace_file(path, page.encode("utf-8", errors="replace"))
    except OSError as fault:
        raise JepakitError(f"{path} can't be written: {fault.strerror or fault}; check the disk and its permissions.") from fault
    return path


def render(run: Path) -> str:
    """The report of a run as one HTML document without outside references."""
    if not (run / "config.yaml").is_file():
        raise DataError(f"{run}: no run folder (it has no config.yaml). Give the folder that `jepakit train … --out` wrote.")
    config = (run / "config.yaml").read_text(encoding="utf-8")
    steps = read_steps(run)
    evaluation = _try(lambda: read_evaluation(run))
    script, digest = explore.script()
    return template("page.html.j2").render(
        script=script,
        script_digest=digest,
        name=run.resolve().name,
        recipe=_recipe(config),
        version=__version__,
        written=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        verdict=_verdict(evaluation, steps),
        summary=_summary(steps),
        results=_part(evaluation, _results, NOT_EVALUATED),
        training=_part(steps, _training, ""),
        masks=_part(_try(lambda: read_masks(run)), _masks, "no mask pictures: this kind of data draws none, or no step was trained."),
        embedding=_part(_try(lambda: read_embedding(run)), embedding_content, NOT_EVALUATED),
        config=config,
        environment=_part(_try(lambda: read_json(run / "environment.json")), _facts, "not recorded (environment.json is missing)."),
    )


def template(name: str) -> jinja2.Template:
    """A page of this folder; `style.css` is common to all of them."""
    loader = jinja2.PackageLoader("jepakit.report", ".")
    pages = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return pages.get_template(name)


def _try(read: Callable[[], T | None]) -> T | DataError | None:
    try:
        return read()
    except DataError as fault:
        return fault


def _part(found: T | DataError | None, draw: Callable[[T], Mapping[str, Any]], absent: str) -> Mapping[str, Any]:
    """What a section shows: the content that `draw` makes, or a `note` that says why there is none."""
    if found is None or isinstance(found, DataError):
        return {"note": absent if found is None else str(found)}
    try:
        return {"note": "", **draw(found)}
    except DataError as fault:
        return {"note": str(fault)}


def _recipe(config: str) -> str:
    try:
        loaded = yaml.safe_load(config)
    except yaml.YAMLError:
        return ""
    return str(loaded.get("recipe") or "") if isinstance(loaded, dict) else ""


def _verdict(evaluation: Mapping[str, Any] | DataError | None, steps: Sequence[Mapping[str, Any]]) -> Verdict:
    """What the evaluation says; a bad state of the collapse watch comes first, unless the encoder learned all the same."""
    state, step = (str(steps[-1].get("verdict", "")), steps[-1]["step"]) if steps else ("", 0)
    watch = f"Collapse watch at step {step:,}: {state}." if state else ""
    word, sentence, line = "", NO_VERDICT, None
    if isinstance(evaluation, Mapping):
        word, sentence, line = str(evaluation.get("verdict", "")), str(evaluation.get("sentence", "")), _headline(evaluation)
    if state in ALARMS and word != "learned":
        tone, headline, alarm = ALARMS[state]
        return Verdict(tone, headline, f"{alarm} {sentence}", watch, line)
    tone, headline = HEADLINES.get(word, ("plain", word.capitalize() or "Not evaluated yet"))
    return Verdict(tone, headline, sentence, watch, line)


def _headline(evaluation: Mapping[str, Any]) -> Line | None:
    table = _try(lambda: arrange(evaluation["rows"]))
    return None if table is None or isinstance(table, DataError) else table.headline


def _summary(steps: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The last state of training in a few numbers, for the strip below the verdict."""
    wanted = (
        ("step", "steps"),
        ("loss", "loss"),
        ("rank", "rank, centred"),
        ("probe", "probe"),
        ("std", "std"),
        ("samples_per_s", "samples/s"),
    )
    latest = {key: record[key] for record in steps for key, _ in wanted if isinstance(record.get(key), int | float)}
    return [(title, number(float(latest[key]))) for key, title in wanted if key in latest]


def _results(evaluation: Mapping[str, Any]) -> Mapping[str, Any]:
    table = arrange(evaluation["rows"])
    if table is None:
        raise DataError("the evaluation holds no rows.")
    by_metric = {line.metric: [other for other in table.lines if other.metric == line.metric] for line in table.lines}
    plots = [
        figures.interval_plot({line.name: line.intervals for line in lines}, table.rows, metric, lines[0].percent)
        for metric, lines in by_metric.items()
    ]
    scores = evaluation.get("pooling_scores") or {}
    return {
        "table": table,
        "plots": plots,
        "colours": figures.row_keys(table.rows),
        "pooling": str(evaluation.get("pooling") or ""),
        "pooling_scores": pooling_lines(scores, evaluation.get("pooling_scores_untrained") or {}),
        "sources": [(name, str(evaluation[name])) for name in ("data", "test") if evaluation.get(name)],
        "health": _health(evaluation.get("health") or {}),
        "notes": [str(note) for note in evaluation.get("notes") or ()],
    }


def _health(health: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """A header (the contenders), then one line a measure; empty where too few samples were measured."""
    measures = dict.fromkeys(name for numbers in health.values() for name in numbers)
    lines = [[name.replace("_", ", "), *(number(float(numbers.get(name, math.nan))) for numbers in health.values())] for name in measures]
    return [["", *health], *lines] if lines else []


def _training(steps: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    drawn = ((panel, figures.curve(steps, panel)) for panel in figures.PANELS)
    charts = [(panel, image) for panel, image in drawn if image is not None]
    if not charts:
        raise DataError("no step is logged yet: jepakit train writes metrics.jsonl as it goes.")
    return {"charts": charts}


def _masks(masks: MaskPictures) -> Mapping[str, Any]:
    return {"pictures": [(id, figures.picture(pixels)) for id, pixels in zip(masks.ids, masks.pictures)]}


def _facts(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Names and values as text: numbers short, nested values as YAML (`block` is true for those)."""
    return {"facts": [(name.replace("_", " "), *_fact(value)) for name, value in record.items()]}


def _fact(value: Any) -> tuple[str, bool]:
    if isinstance(value, dict | list):
        return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).rstrip(), True
    return (number(value) if isinstance(value, float) else str(value)), False
