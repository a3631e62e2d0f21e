"""The house: a room imports only from floors below it, and nobody but the door lets plugins and modalities in.

Read over the syntax tree, so that imports inside functions count as well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core"
FLOORS = (
    ("errors", "specs", "hookspecs", "settings", "disk", "strict_yaml"),
    (
        "contracts",
        "layouts",
        "moments",
        "memory",
        "crossrank",
        "characteristic",
        "measures",
        "density",
        "schedule",
        "precision",
        "horizon",
        "runs",
        "overrides",
        "config_errors",
    ),
    ("plugin_host", "builtin", "objectives", "objectives_agreement", "targets_transform", "maskers", "checkpoint"),
    ("model", "recipes", "scaffold"),
    ("targets", "targets_composed", "jepa"),
    (
        "train.optim",
        "train.monitor",
        "train.signals",
        "train.pace",
        "evaluate.settings",
        "evaluate.pooling",
        "evaluate.probe",
        "data.budget",
    ),
    ("config", "sdk"),
    ("build", "plans", "data", "sources"),
    ("train", "evaluate", "report"),
    ("forecast",),
    ("engine", "answers", "score", "embed", "export", "inspect", "run_index"),
    ("bench", "testing"),
    ("cli", "__main__"),
    ("__main__",),
)
"""From the ground up. A module belongs to the longest name here that it starts with; a floor's rooms may use each other."""


def floor(module: str) -> int | None:
    """The floor of `jepakit.x.y`; None for the package itself and for rooms that are not in the plan."""
    names = {name: number for number, rooms in enumerate(FLOORS) for name in rooms}
    parts = module.split(".")[1:]
    return next((names[name] for end in range(len(parts), 0, -1) if (name := ".".join(parts[:end])) in names), None)


def module_of(path: Path, root: Path) -> str:
    """core/jepakit/model/encoder.py → jepakit.model.encoder."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, with `from a import b` as a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides where it goes"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


SOURCES = sorted((CORE / "jepakit").rglob("*.py"))
OUTSIDE = sorted([*(ROOT / "modalities").rglob("*.py"), *(path for path in (ROOT / "plugins").rglob("*.py") if "tests" not in path.parts)])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: module_of(path, CORE))
def test_room_stands_on_what_it_imports(path: Path) -> None:
    own = module_of(path, CORE)
    here = len(FLOORS) if own == "jepakit" else floor(own)  # the package itself is the front door, above all rooms
    assert here is not None, f"{own} has no floor: give it one above"
    wrong = [name for name in imports(path) if name.startswith("jepakit.") and (there := floor(name)) is not None and there > here]
    assert wrong == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: module_of(path, CORE))
def test_core_knows_no_modality_and_no_plugin(path: Path) -> None:
    tops = {name.partition(".")[0] for name in imports(path)}
    assert {top for top in tops if top.startswith("jepakit_")} == set()


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_modality_or_plugin_comes_through_the_door(path: Path) -> None:
    wrong = [name for name in imports(path) if name.startswith("jepakit.") and not name.startswith(("jepakit.sdk.", "jepakit.testing"))]
    assert wrong == []


def test_the_check_sees_a_wrong_import(tmp_path: Path) -> None:
    path = tmp_path / "room.py"
    path.write_text("def f():\n    from jepakit.cli import main\n    import jepakit_modalities.image\n", encoding="utf-8")
    found = list(imports(path))
    assert found == ["jepakit.cli.main", "jepakit_modalities.image"]
    assert (floor(found[0]) or 0) > (floor("jepakit.train.loop") or 0) > (floor("jepakit.train.optim") or 0)
