"""What this distribution brings: two ways to train on log-mel patches."""

from __future__ import annotations

from jepakit.sdk import API as API
from jepakit.sdk import CommandSpec, ComponentSpec, QualitySet, RecipeSpec, hookimpl


@hookimpl
def register_components() -> list[ComponentSpec]:
    """The masks of A-JEPA; the data and the view of Stem-JEPA."""
    return [
        ComponentSpec(
            "masker",
            "time-frequency",
            "jepakit_audio.masker:TimeFrequencyMasker",
            "jepakit_audio.masker:TimeFrequencySettings",
            "blocks, annealed into whole ranges of time or frequency",
        ),
        ComponentSpec("modality", "stems", "jepakit_audio.stems:StemsModality", summary="music with a channel an instrument"),
        ComponentSpec(
            "view",
            "audio-stems",
            "jepakit_audio.stem_view:StemView",
            "jepakit_audio.stem_view:StemSettings",
            "a mix of some stems, and one that is missing from it",
        ),
    ]


DIGITS = QualitySet(
    "audio_fsdd",
    "$JEPAKIT_DATA/audio_fsdd::split=all",
    changes=(
        "train.steps=3000",
        "views.crop_s=0.64",
        "data.batch=48",
        "tokenizer.centre=true",
        'evaluate.poolings=[mean,mean+std,"all:mean+std"]',
        "evaluate.probes=[linear]",
        "evaluate.budgets=[]",
    ),
)
"""Spoken digits; every speaker is judged once by what the other five say."""


@hookimpl
def register_recipes() -> list[RecipeSpec]:
    """Audio-JEPA, A-JEPA and Stem-JEPA."""
    return [
        RecipeSpec(
            "audio",
            "audio",
            "jepakit_audio:recipes/audio.yaml",
            "Audio-JEPA: random masks on log-mel patches",
            "arXiv 2507.02915",
            (DIGITS,),
        ),
        RecipeSpec(
            "audio-ajepa",
            "audio",
            "jepakit_audio:recipes/audio_ajepa.yaml",
            "A-JEPA: blocks, then ranges of time or frequency",
            "arXiv 2311.15830",
            (DIGITS,),
        ),
        RecipeSpec(
            "audio-stem",
            "stems",
            "jepakit_audio:recipes/audio_stem.yaml",
            "Stem-JEPA: the missing instrument of a mix",
            "arXiv 2408.02514",
        ),
    ]


@hookimpl
def register_commands() -> list[CommandSpec]:
    """Retrieval of the missing stem."""
    return [CommandSpec("stems", "jepakit_audio.stem_retrieval:stems", "Retrieve missing stems with what a run predicts.")]
