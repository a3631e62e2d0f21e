"""A zoo of plugins: distributions written to a folder on sys.path, found by importlib.metadata as pip-installed ones are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Install = Callable[..., None]
HEALTHY = """
from jepakit.sdk import ComponentSpec, RecipeSpec, hookimpl
API = 1
@hookimpl
def register_components():
    return [ComponentSpec("masker", "{name}", "{module}:Thing", summary="a toy")]
@hookimpl
def register_recipes():
    return [RecipeSpec("{name}-recipe", "toy", "{module}:recipe.yaml")]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """install("zoo-owl", source): writes module zoo_owl and its metadata. Without source: a healthy plugin with masker `name`."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def write(distribution: str, source: str | None = None, *, name: str = "", version: str = "1.0") -> None:
        module = distribution.replace("-", "_")
        made.append(module)
        text = HEALTHY.format(name=name or module.replace("_", "-"), module=module) if source is None else source
        (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
        info = tmp_path / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[jepakit]\nmain = {module}\n", encoding="utf-8")

    yield write
    for module in made:
        sys.modules.pop(module, None)
