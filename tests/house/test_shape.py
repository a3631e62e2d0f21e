"""Sizes a reader can hold, documentation on what is public, and none of the habits that make code hard to take over."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for top in ("core", "modalities", "plugins") for path in (ROOT / top).rglob("*.py") if "tests" not in path.parts)
LONGEST_FILE, LONGEST_FUNCTION, MOST_ARGUMENTS = 350, 60, 8
NO_NAMES = {"utils.py", "helpers.py", "common.py", "misc.py", "trainer.py"}
EDGES = {
    "core/jepakit/cli/main.py", "core/jepakit/cli/doctor.py", "core/jepakit/plugin_host/loader.py", "core/jepakit/plugin_host/blame.py",
    "core/jepakit/plugin_host/events.py", "core/jepakit/plugin_host/probe.py", "core/jepakit/data/loader.py",
    "core/jepakit/inspect/readings.py", "core/jepakit/testing/check.py", "core/jepakit/testing/plugin.py",
    "plugins/jepakit-eeg/jepakit_eeg/recordings.py",
}  # fmt: skip
"""Where foreign code is called whose errors can't be foreseen: the only places with a broad except."""
Function = ast.FunctionDef | ast.AsyncFunctionDef

every_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(module: ast.Module) -> Iterator[Function]:
    yield from (node for node in ast.walk(module) if isinstance(node, Function))


def public(module: ast.Module) -> Iterator[Function | ast.ClassDef]:
    """What a module promises: functions and classes at its top without a leading underscore. Options are described field by field."""
    for node in module.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_") and not node.name.endswith("Settings"):
            yield node


@every_source
def test_file_is_short_and_named_for_one_thing(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    assert path.name not in NO_NAMES


@every_source
def test_functions_are_short(path: Path) -> None:
    long = [node.name for node in functions(tree(path)) if (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION]
    assert long == []


@every_source
def test_constructors_take_few_arguments(path: Path) -> None:
    made = [node for node in functions(tree(path)) if node.name == "__init__"]
    assert all(len(node.args.args) + len(node.args.kwonlyargs) - 1 <= MOST_ARGUMENTS for node in made)
    assert all(node.args.kwarg is None for node in made), "**kwargs hide what a constructor takes"


@every_source
def test_module_and_public_names_say_what_they_are(path: Path) -> None:
    module = tree(path)
    assert ast.get_docstring(module) or not module.body
    assert [node.name for node in public(module) if not ast.get_docstring(node)] == []


@every_source
def test_no_broad_except_but_at_the_edges(path: Path) -> None:
    caught = [node.type for node in ast.walk(tree(path)) if isinstance(node, ast.ExceptHandler)]
    names = {"everything" if part is None else ast.unparse(part) for kind in caught for part in getattr(kind, "elts", [kind])}
    broad = {"everything", "Exception"} & names
    assert broad == set() or path.relative_to(ROOT).as_posix() in EDGES


@every_source
def test_nothing_is_unpickled(path: Path) -> None:
    module = tree(path)
    imported = {alias.name for node in ast.walk(module) if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names}
    assert not imported & {"pickle", "cPickle", "dill", "cloudpickle", "joblib"}
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"np.load", "numpy.load"}:
            assert any(key.arg == "allow_pickle" and ast.unparse(key.value) == "False" for key in node.keywords)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            raise AssertionError("torch.load unpickles; weights travel as safetensors")
