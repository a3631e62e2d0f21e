"""The core names no kind of data and no method in its code: no identifier, no string. Docstrings and comments may cite papers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "core" / "jepakit").rglob("*.py"))
MODALITIES = ("ecg", "eeg", "meg", "lidar", "sar", "spectrogram", "mel", "tabular", "pointcloud", "wav", "dicom", "hyperspectral")
METHODS = {f"{first}{dash}jepa" for first in ("i", "v", "le", "mc", "t", "cnn", "stem") for dash in ("", "-")} | {
    "data2vec",
    "byol",
}
FORBIDDEN = {*MODALITIES, *METHODS, "student", "teacher_encoder"}
ALLOWED = dict.fromkeys(
    ("jepakit.measures", "jepakit.evaluate.labelfree", "jepakit.bench.measures", "jepakit.bench.verdicts"), frozenset({"lidar"})
)
"""LiDAR, the linear-discriminant rank, is a measure of embeddings that shares its name with a sensor."""


def words(tree: ast.AST) -> Iterator[str]:
    """Identifiers and strings of a module, cut into words; what stands alone as documentation is left out."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}
    for node in ast.walk(tree):
        text = ""
        if isinstance(node, ast.Name | ast.Attribute | ast.arg | ast.FunctionDef | ast.ClassDef | ast.keyword):
            text = next(str(getattr(node, key)) for key in ("id", "attr", "arg", "name") if hasattr(node, key))
            text = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text).replace("_", " ")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            text = node.value
        yield from re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)*", text.lower())


def forbidden(source: str) -> set[str]:
    """The words of a module that the core must not know; cited sources, "(… arXiv 2301.08243 …)", are cut out of strings first."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = re.sub(r"\([^()]*\)", "", node.value)
    return FORBIDDEN & set(words(tree))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_core_names_no_modality_and_no_method(path: Path) -> None:
    module = ".".join(path.relative_to(ROOT / "core").with_suffix("").parts)
    assert forbidden(path.read_text(encoding="utf-8")) - ALLOWED.get(module, set()) == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("if modality == 'ecg': pass", {"ecg"}),
        ("def load_lidar(): pass", {"lidar"}),
        ("class EegReader: pass", {"eeg"}),
        ("config.ijepa = 1", {"ijepa"}),
        ("x = 'as in I-JEPA'", {"i-jepa"}),
        ("x = 'a switch (I-JEPA, arXiv 2301.08243)'", set()),
        ("'''As in I-JEPA.'''", set()),
        ("necessary = 1  # not sar", set()),
    ],
)
def test_the_check_sees_a_forbidden_word(source: str, found: set[str]) -> None:
    assert forbidden(source) == found
