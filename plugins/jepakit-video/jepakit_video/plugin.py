"""What this distribution brings: the masker that hides the future, three recipes, and the question whether a run can tell the future."""

from __future__ import annotations

from jepakit.sdk import API as API
from jepakit.sdk import CommandSpec, ComponentSpec, RecipeSpec, hookimpl

EXPECTED_FAILURES = {
    "masker.covers[future]": "the last moment is never past: it is what a masker of the future can't show",
    "recipe.stop_gradient[video-vcr]": "VJ-VCR has no teacher: gradient flows into its targets, and its terms keep them apart",
}


@hookimpl
def register_components() -> list[ComponentSpec]:
    """A masker; tubes, encoder, predictor and targets are the core's, clips and tubelets those of the modality."""
    return [
        ComponentSpec(
            "masker",
            "future",
            "jepakit_video.masker:FutureMasker",
            "jepakit_video.masker:FutureSettings",
            "the past seen, the future asked for",
        )
    ]


@hookimpl
def register_recipes() -> list[RecipeSpec]:
    """V-JEPA and what came after it."""
    recipes = "jepakit_video:recipes"
    return [
        RecipeSpec("video", "video", f"{recipes}/video.yaml", "V-JEPA: tubes of two kinds", "arXiv 2404.08471"),
        RecipeSpec("video-2", "video", f"{recipes}/video_2.yaml", "V-JEPA 2: rotary, constant momentum, cool-down", "arXiv 2506.09985"),
        RecipeSpec("video-vcr", "video", f"{recipes}/video_vcr.yaml", "VJ-VCR: the future, without a teacher", "arXiv 2412.10925"),
    ]


@hookimpl
def register_commands() -> list[CommandSpec]:
    """What labels can't tell."""
    return [CommandSpec("video-future", "jepakit_video.future:future", "Predict the rest of clips, against repeating what was seen last.")]
