"""The page of a run: whole, with each part missing or damaged, with hostile text, and without anything to load."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jepakit.errors import DataError
from jepakit.report.artifacts import save_embedding, save_masks
from jepakit.report.page import render, write_report

HOSTILE = '<script>alert("x")</script><img src=http://evil.example/x onerror=1>&'
PARTS = {
    "evaluation.json": "not evaluated yet",
    "metrics.jsonl": "no step is logged yet",
    "environment.json": "not recorded",
    "report/masks.npz": "no mask pictures",
    "report/embedding.npz": "not evaluated yet",
}


class Reading(HTMLParser):
    """Collects what the page shows and what it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "data", "action"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def read(run: Path) -> Reading:
    reading = Reading()
    reading.feed(render(run))
    return reading


def make_run(run: Path, name: str = "plain", verdict: str = "learned") -> Path:
    """A whole run folder with little in it; `name` goes wherever text can come from outside."""
    (run / "config.yaml").write_text(f"recipe: {json.dumps(name)}\ndata: {json.dumps(name)}\n")
    (run / "environment.json").write_text(json.dumps({"python": "3.11", name: [name, {"nested": name}]}))
    steps = [
        {"event": "step", "step": step, "loss": 1 / step, "rank": 9.0, "position_ratio": 0.5, "verdict": "healthy"} for step in (1, 2, 3)
    ]
    (run / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in steps))
    values = [("encoder", 0.7), ("untrained", 0.5), ("raw", 0.4), (f"row {name}", 0.1)]
    rows = [
        {"row": row, "probe": "linear", "labels": "all", "metric": "accuracy", "value": v, "low": v - 0.1, "high": v + 0.1}
        for row, v in values
    ]
    evaluation = {"rows": rows, "pooling": name, "verdict": verdict, "sentence": f"So it is: {name}."}
    evaluation |= {"pooling_scores": {name: 0.5}, "pooling_scores_untrained": {name: 0.125}}
    (run / "evaluation.json").write_text(
        json.dumps(
            {
                **evaluation,
                "run": name,
                "data": name,
                "test": name,
                "health": {"encoder": {"rank": 7.5}, name: {name: 1.5}},
                "notes": [name],
            }
        )
    )
    rng = np.random.default_rng(np.random.Philox(key=4))
    pictures = rng.integers(0, 256, (9, 6, 6, 3), dtype=np.uint8)
    ids = [f"{name}/{place}" for place in range(9)]
    save_masks(run, pictures[:2], ids[:2])
    save_embedding(run, rng.normal(size=(9, 4)), np.arange(9) % 3, ids, pictures, [name, "two", "three"])
    return run


def test_whole_run_shows_every_section_and_loads_nothing(tmp_path: Path) -> None:
    page = read(make_run(tmp_path))
    for words in (
        "Learned",
        "So it is: plain.",
        "70.0 %",
        "60.0 – 80.0",
        "Rank of the embeddings",
        "plain/1",
        "PCA of the 9",
        "python",
        "0.500",
        "0.125",
        "0.375",
    ):
        assert words in page.text
    assert not any(sentence in page.text for sentence in PARTS.values())
    assert page.loads
    assert all(address.startswith(("data:image/", "#")) for address in page.loads)
    assert not set(page.tags) & {"link", "iframe", "object", "embed", "base"}
    assert "@import" not in page.text
    assert re.findall(r"url\((.*?)\)", page.text) == ["${data.sprite}"]  # the pictures that stand in the page itself


def test_best_of_a_line_is_bold(tmp_path: Path) -> None:
    html = render(make_run(tmp_path))
    assert re.findall(r"<td><b>([^<]*)</b>", html) == ["70.0 %"]


def test_written_report_is_where_it_is_said_to_be(tmp_path: Path) -> None:
    path = write_report(make_run(tmp_path))
    assert path == tmp_path / "report.html"
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert not list(tmp_path.glob(".tmp*"))


@pytest.mark.parametrize("part", PARTS)
def test_missing_part_becomes_a_sentence(tmp_path: Path, part: str) -> None:
    run = make_run(tmp_path)
    (run / part).unlink()
    assert PARTS[part] in read(run).text


def test_config_alone_is_enough(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("recipe: tiny")
    text = read(tmp_path).text
    assert "Not evaluated yet" in text
    assert "recipe tiny" in text
    assert all(sentence in text for sentence in PARTS.values())


@pytest.mark.parametrize("part", [part for part in PARTS if part != "metrics.jsonl"])
def test_damaged_part_is_named_in_its_place(tmp_path: Path, part: str) -> None:
    run = make_run(tmp_path)
    (run / part).write_bytes(b"\x80 damaged")
    assert Path(part).name in read(run).text


def test_incomplete_row_is_named_and_the_rest_still_shown(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run / "evaluation.json").write_text(json.dumps({"rows": [{"row": "encoder"}], "verdict": "learned"}))
    text = read(run).text
    assert "is incomplete" in text
    assert "PCA of the 9" in text


def test_folder_without_config_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no config\.yaml"):
        write_report(tmp_path)


def test_hostile_text_is_shown_and_never_obeyed(tmp_path: Path) -> None:
    page = read(make_run(tmp_path, HOSTILE))
    assert page.tags.count("script") == 2  # the data of the map and the one script of ours, which the policy names by its digest
    assert all(address.startswith(("data:image/", "#")) for address in page.loads)
    assert page.text.count(HOSTILE) >= 12


@pytest.mark.parametrize(
    ("verdict", "tone", "headline"),
    [("learned", "good", "Learned"), ("not learned", "warn", "Not learned"), ("unclear", "plain", "Unclear"), ("odd", "plain", "Odd")],
)
def test_verdict_has_its_words_and_its_colour(tmp_path: Path, verdict: str, tone: str, headline: str) -> None:
    html = render(make_run(tmp_path, verdict=verdict))
    assert f'<section class="verdict {tone}" id="verdict">\n<h2>{headline}</h2>' in html
    assert "Collapse watch at step 3: healthy." in html


@pytest.mark.parametrize(
    ("state", "headline"),
    [
        ("collapsed", "Collapsed"),
        ("positional", "Only position is learned"),
        ("shrinking", "Losing directions"),
        ("healthy", "Not evaluated yet"),
    ],
)
def test_alarm_of_training_is_said_before_any_evaluation(tmp_path: Path, state: str, headline: str) -> None:
    (tmp_path / "config.yaml").write_text("recipe: tiny")
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"event": "step", "step": 4, "loss": 0.0, "verdict": state}))
    html = render(tmp_path)
    assert f"<h2>{headline}</h2>" in html
    assert f"Collapse watch at step 4: {state}." in html


@pytest.mark.parametrize(("verdict", "headline"), [("learned", "Learned"), ("not learned", "Collapsed"), ("unclear", "Collapsed")])
def test_alarm_stands_above_an_evaluation_unless_it_learned(tmp_path: Path, verdict: str, headline: str) -> None:
    run = make_run(tmp_path, verdict=verdict)
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"event": "step", "step": 4, "loss": 0.0, "verdict": "collapsed"}) + "\n")
    html = render(run)
    assert f"<h2>{headline}</h2>" in html
    assert "So it is: plain." in html


def test_health_has_a_column_for_each_contender(tmp_path: Path) -> None:
    html = render(make_run(tmp_path))
    assert "<tr><th></th><th>encoder</th><th>plain</th></tr>" in html
    assert "<tr><td>rank</td><td>7.5</td><td>–</td></tr>" in html


def test_embeddings_that_are_not_finite_are_left_out_and_counted(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    z = np.random.default_rng(np.random.Philox(key=5)).normal(size=(9, 4))
    z[2, 1] = np.nan
    save_embedding(run, z, None, [str(place) for place in range(9)])
    assert "1 embedding(s) hold values that are not finite" in read(run).text
    save_embedding(run, np.full((9, 4), np.nan), None, [str(place) for place in range(9)])
    assert "nothing to map" in read(run).text


def neighbour_frames(run: Path) -> dict[str, int]:
    html = render(run)
    return {match: len(re.findall(f'class="tile {match}"', html)) for match in ("same", "other", "")}


def test_neighbours_are_framed_by_label(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    corners = np.eye(2)[[0] * 7 + [1] * 7] + np.linspace(0, 0.1, 14)[:, None]
    ids = [str(place) for place in range(14)]
    labels = np.array([0] * 7 + [1] * 7)
    save_embedding(run, corners, labels, ids)
    assert neighbour_frames(run) == {"same": 36, "other": 0, "": 6}
    save_embedding(run, corners, np.arange(14), ids)
    assert neighbour_frames(run) == {"same": 0, "other": 36, "": 6}
    save_embedding(run, corners, np.full(14, -1), ids)
    assert neighbour_frames(run) == {"same": 0, "other": 0, "": 42}


def test_each_of_a_few_samples_is_a_query_once(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    save_embedding(run, np.eye(4), None, ["a", "b", "c", "d"])
    assert re.findall(r'<div class="query">\s*<figure title="(.)">', render(run)) == ["a", "b", "c", "d"]


def test_summary_takes_the_latest_value_of_each_number(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    extra: dict[str, Any] = {"event": "step", "step": 1200, "loss": 0.25, "rank": None}
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(extra) + "\n")
    html = render(run)
    for value, title in (("1,200", "steps"), ("0.25", "loss"), ("9", "rank, centred")):
        assert f"<div><b>{value}</b><span>{title}</span></div>" in html
