"""The one door for plugins and modalities: everything they may import. Names resolve when touched, so hooks need no torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jepakit.errors import ConfigError, ContractError, DataError, PluginError
from jepakit.hookspecs import hookimpl
from jepakit.specs import API, CommandSpec, ComponentSpec, DoctorCheckSpec, QualitySet, RecipeSpec

if TYPE_CHECKING:
    from jepakit.contracts import (
        ASIDE,
        Advice,
        Batch,
        Condition,
        Context,
        Encoder,
        Features,
        IndexSet,
        Layout,
        Masker,
        MaskPlan,
        MaskRequest,
        Modality,
        Objective,
        Predictor,
        Query,
        Raw,
        Reader,
        Sample,
        StepOutput,
        TargetProvider,
        TargetTransform,
        Tokenizer,
        Tokens,
        ViewMaker,
    )
    from jepakit.crossrank import all_gather_rows, mean_over_ranks, sum_over_ranks
    from jepakit.data.budget import ReadBudget
    from jepakit.evaluate.probe import Probe
    from jepakit.layouts import grid_layout, patch_counts, patchify
    from jepakit.memory import MemoryReader
    from jepakit.moments import channel_moments
    from jepakit.settings import Settings
    from jepakit.targets import RawFunctionTarget
    from jepakit.targets_composed import CrossStreamTarget, MultiTarget

_LAZY = {
    **dict.fromkeys(
        (
            "ASIDE", "Advice", "Batch", "Condition", "Context", "Encoder", "Features", "IndexSet", "Layout", "MaskPlan", "MaskRequest",
            "Masker", "Modality", "Objective", "Predictor", "Query", "Raw", "Reader", "Sample", "StepOutput", "TargetProvider",
            "TargetTransform", "Tokenizer", "Tokens", "ViewMaker",
        ),
        "jepakit.contracts",
    ),
    **dict.fromkeys(("all_gather_rows", "mean_over_ranks", "sum_over_ranks"), "jepakit.crossrank"),
    "MemoryReader": "jepakit.memory",
    "ReadBudget": "jepakit.data.budget",
    "Probe": "jepakit.evaluate.probe",
    **dict.fromkeys(("grid_layout", "patch_counts", "patchify"), "jepakit.layouts"),
    "channel_moments": "jepakit.moments",
    "Settings": "jepakit.settings",
    "RawFunctionTarget": "jepakit.targets",
    "CrossStreamTarget": "jepakit.targets_composed",
    "MultiTarget": "jepakit.targets_composed",
    **dict.fromkeys(("answers_of", "parts_of"), "jepakit.answers"),  # for commands; on a higher floor, so types are not known here
}  # fmt: skip

__all__ = [
    "API", "CommandSpec", "ComponentSpec", "ConfigError", "ContractError", "DataError", "DoctorCheckSpec", "PluginError", "RecipeSpec",
    "QualitySet", "hookimpl", "MemoryReader", "grid_layout", "patch_counts", "patchify",
    "ASIDE", "Advice", "Batch", "Condition", "Context", "CrossStreamTarget", "Encoder", "Features", "IndexSet", "Layout", "MaskPlan",
    "MaskRequest", "Masker", "Modality", "MultiTarget", "Objective", "Predictor", "Probe", "Query", "Raw", "RawFunctionTarget",
    "ReadBudget", "Reader", "Sample", "Settings", "StepOutput", "TargetProvider", "TargetTransform", "Tokenizer", "Tokens", "ViewMaker",
    "all_gather_rows", "answers_of", "channel_moments", "mean_over_ranks", "parts_of", "sum_over_ranks",  # noqa: F822  # lazily, from a higher floor
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"jepakit.sdk has no name '{name}'")
    return getattr(import_module(_LAZY[name]), name)
