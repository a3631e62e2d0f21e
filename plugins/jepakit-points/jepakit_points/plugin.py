"""What this distribution brings: groups of points as tokens, runs along their order as masks, and two recipes."""

from __future__ import annotations

from jepakit.sdk import API as API
from jepakit.sdk import ComponentSpec, QualitySet, RecipeSpec, hookimpl


@hookimpl
def register_components() -> list[ComponentSpec]:
    """A tokenizer and a masker; encoder, predictors, balls and targets are the core's."""
    return [
        ComponentSpec(
            "tokenizer",
            "point-groups",
            "jepakit_points.tokenizer:GroupTokenizer",
            "jepakit_points.tokenizer:GroupSettings",
            "farthest points with their neighbours, in a locality order",
            requires=("fpsample", "scipy"),
        ),
        ComponentSpec(
            "masker",
            "sequence-runs",
            "jepakit_points.masker:RunMasker",
            "jepakit_points.masker:RunSettings",
            "runs along the order of the tokens (Point-JEPA)",
        ),
    ]


MODELNET = "$JEPAKIT_DATA/modelnet10_1024/"
OBJECTS = QualitySet("modelnet10_1024", f"{MODELNET}train.npz", f"{MODELNET}test.npz", ("evaluate.budgets=[10]",))


@hookimpl
def register_recipes() -> list[RecipeSpec]:
    """Point-JEPA and 3D-JEPA."""
    runs, balls = ("jepakit_points:recipes/points.yaml", "jepakit_points:recipes/points_3d.yaml")
    return [
        RecipeSpec("points", "pointcloud", runs, "Point-JEPA: runs along a sequence", "arXiv 2404.16432", (OBJECTS,)),
        RecipeSpec("points-3d", "pointcloud", balls, "3D-JEPA: blocks in space", "arXiv 2409.15803", (OBJECTS,)),
    ]
