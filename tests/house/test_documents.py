"""README, CONTRIBUTING and docs/ name what exists: links lead somewhere, and the tree in the README is the tree."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
CORE = "core/jepakit/"


def tree() -> set[str]:
    """Paths in the README's tree; a folder ends with a slash. Two spaces of indentation are one level; a line may name several files."""
    (block,) = re.findall(r"```\n(core/jepakit/ .*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    paths, parents = set(), [""]
    for line in block.splitlines():
        level = (len(line) - len(line.lstrip())) // 2
        names = list(takewhile(re.compile(r"[\w.-]+(\.\w+|/)|[\w/]+/|Makefile").fullmatch, line.split()))
        assert names, f"no file at the start of '{line}'"
        parents[level + 1 :] = [parents[level] + names[0]]
        paths.update(parents[level] + name for name in names)
    return paths


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_inside_the_repository_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (document.parent / link).exists()] == []


def test_tree_names_only_what_exists() -> None:
    assert sorted(path for path in tree() if not (ROOT / path).exists()) == []


def test_tree_names_every_room_of_the_core() -> None:
    rooms = {path.relative_to(ROOT).as_posix() + "/" for path in (ROOT / CORE).iterdir() if (path / "__init__.py").exists()}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / CORE).glob("*.py") if path.name != "__init__.py"}
    assert sorted((rooms | modules) - tree()) == []


def test_make_targets_in_the_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        name for document in DOCUMENTS for name in re.findall(r"(?:`|^)make ([a-z-]+)", document.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named
    assert sorted(named - targets) == []
