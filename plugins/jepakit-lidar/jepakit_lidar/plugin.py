"""What this distribution brings: sweeps, cells seen from above, halves of them as context and target, and a probe of points."""

from __future__ import annotations

from jepakit.sdk import API as API
from jepakit.sdk import CommandSpec, ComponentSpec, QualitySet, RecipeSpec, hookimpl


@hookimpl
def register_components() -> list[ComponentSpec]:
    """A modality, how it becomes tokens, how it is cut in two, and the term that keeps cells of one tile apart."""
    return [
        ComponentSpec("modality", "lidar", "jepakit_lidar.modality:LidarModality", summary="outdoor sweeps, in tiles seen from above"),
        ComponentSpec(
            "tokenizer",
            "lidar-cells",
            "jepakit_lidar.tokenizer:CellTokenizer",
            "jepakit_lidar.tokenizer:CellSettings",
            "cells seen from above that hold a point, or are known to hold none",
        ),
        ComponentSpec(
            "view",
            "lidar-halves",
            "jepakit_lidar.views:HalvesView",
            "jepakit_lidar.views:HalvesSettings",
            "mirrors and stretches; the raw points of some cells are one stream, those of the others another",
        ),
        ComponentSpec(
            "masker",
            "lidar-halves",
            "jepakit_lidar.masker:HalvesMasker",
            "jepakit_lidar.masker:HalvesMaskerSettings",
            "each stream is context and target of the other",
        ),
        ComponentSpec(
            "objective",
            "cell-variance",
            "jepakit_lidar.objective:CellVariance",
            "jepakit_lidar.objective:CellVarianceSettings",
            "keeps the cells of one sample apart (AD-L-JEPA)",
        ),
    ]


SWEEPS = "$JEPAKIT_DATA/lidar_sweeps"
OBJECTS = QualitySet(
    "lidar_sweeps-objects",
    f"{SWEEPS}::only=kitti_training_*,tile=12.8,labels=object",
    changes=("train.steps=150",),
    pretrain=f"{SWEEPS}::only=kitti_testing_*|city_*,tile=12.8",
)
"""Cells of six labelled sweeps, each judged by what the other five say."""


@hookimpl
def register_recipes() -> list[RecipeSpec]:
    """AD-L-JEPA."""
    recipe = "jepakit_lidar:recipes/lidar.yaml"
    return [RecipeSpec("lidar", "lidar", recipe, "AD-L-JEPA: hidden cells from seen ones", "arXiv 2501.04969", (OBJECTS,))]


@hookimpl
def register_commands() -> list[CommandSpec]:
    """Which points are objects."""
    return [CommandSpec("lidar-points", "jepakit_lidar.points:command", "how well what a run learned tells object points from others")]
