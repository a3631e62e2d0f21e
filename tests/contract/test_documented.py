"""docs/plugins.md names every check of the kit, and none that does not exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from torch import nn

from jepakit.plugin_host.loader import discover, load
from jepakit.testing import (
    check_encoder,
    check_masker,
    check_modality,
    check_objective,
    check_predictor,
    check_recipe,
    check_target,
    check_tokenizer,
    check_view,
)

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
PLUGIN = {"plugin.import", "plugin.licence", "options", "requires"}


def names() -> set[str]:
    """The checks of every role; none is run, so what stands in for a component is never looked at."""
    anything: Any = nn.Identity()
    host = discover(allow=frozenset())
    groups = [
        check_tokenizer(anything, []),
        check_masker(anything),
        check_encoder(anything, tokens_width=8),
        check_predictor(anything, context_width=8, target_width=8),
        check_objective(anything),
        check_view(anything, []),
        check_target(anything, anything, {}),
        check_modality(load(host.component("modality", "image")[0].target)()),
        check_recipe("image-quick", host),
    ]
    return {check.name for group in groups for check in group} | PLUGIN


def test_every_check_is_named_and_every_name_is_a_check() -> None:
    said = set(re.findall(r"`((?:plugin|modality|reader|tokenizer|view|masker|encoder|predictor|target|objective|recipe)\.\w+)`", PAGE))
    said |= {name for name in ("options", "requires") if f"`{name}`" in PAGE}
    assert said - names() == set()
    general = {name for name in names() if name.split(".")[0] in ("modality", "reader")}  # `modality.*` and `reader.*` stand for them
    assert names() - said - general == SHAPES


SHAPES = {
    "tokenizer.layout", "encoder.shapes", "predictor.shapes", "target.shapes", "target.deterministic", "target.after_step",
    "target.stop_gradient", "objective.scalar", "masker.random", "masker.honest_info", "view.keeps",
}  # fmt: skip
"""Shapes and dtypes of what is returned, which the roles themselves describe."""
