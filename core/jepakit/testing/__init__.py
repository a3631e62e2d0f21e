"""The conformance kit: checks that every plugin should pass, as functions, as a test class and as a pytest decorator.

`check_reader`, `check_tokenizer`, … give checks one by one; `run_checks` runs them and gives outcomes; `PluginChecks` and
`parametrize_with_checks` bring them into pytest; `jepakit plugins check` prints them. Names resolve when touched: pytest is imported
by the last two only.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jepakit.testing.check import Check, Failed, Outcome, Skipped, run_checks
    from jepakit.testing.encoder import check_encoder
    from jepakit.testing.learning import check_learning
    from jepakit.testing.masker import check_masker, standard_layouts
    from jepakit.testing.objective import check_objective, check_view
    from jepakit.testing.plugin import check_plugin, documented_failures
    from jepakit.testing.predictor import check_predictor
    from jepakit.testing.reader import check_modality, check_reader
    from jepakit.testing.recipe import check_recipe
    from jepakit.testing.suite import PluginChecks, parametrize_with_checks
    from jepakit.testing.target import check_target
    from jepakit.testing.tokenizer import check_tokenizer

_WHERE = {
    "check": ("Check", "Failed", "Outcome", "Skipped", "run_checks"),
    "encoder": ("check_encoder",),
    "learning": ("check_learning",),
    "masker": ("check_masker", "standard_layouts"),
    "objective": ("check_objective", "check_view"),
    "plugin": ("check_plugin", "documented_failures"),
    "predictor": ("check_predictor",),
    "reader": ("check_modality", "check_reader"),
    "recipe": ("check_recipe",),
    "suite": ("PluginChecks", "parametrize_with_checks"),
    "target": ("check_target",),
    "tokenizer": ("check_tokenizer",),
}

__all__ = [
    "Check", "Failed", "Outcome", "PluginChecks", "Skipped", "check_encoder", "check_learning", "check_masker", "check_modality",
    "check_objective", "check_plugin", "check_predictor", "check_reader", "check_recipe", "check_target", "check_tokenizer", "check_view",
    "documented_failures", "parametrize_with_checks", "run_checks", "standard_layouts",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    for module, names in _WHERE.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"{__name__} has no name '{name}'")
