"""What this distribution brings: two ways to train on log-mel patches."""

from __future__ import annotations

from jepakit.sdk import API as API
from jepakit.sdk import ComponentSpec, RecipeSpec, hookimpl


@hookimpl
def register_components() -> list[ComponentSpec]:
    """The masks of A-JEPA."""
    return [
        ComponentSpec(
            "masker",
            "time-frequency",
            "jepakit_audio.masker:TimeFrequencyMasker",
            "jepakit_audio.masker:TimeFrequencySettings",
            "blocks, annealed into whole ranges of time or frequency",
        )
    ]


@hookimpl
def register_recipes() -> list[RecipeSpec]:
    """Audio-JEPA and A-JEPA."""
    return [
        RecipeSpec("audio", "audio", "jepakit_audio:recipes/audio.yaml", "Audio-JEPA: random masks on log-mel patches", "arXiv 2507.02915"),
        RecipeSpec(
            "audio-ajepa",
            "audio",
            "jepakit_audio:recipes/audio_ajepa.yaml",
            "A-JEPA: blocks, then ranges of time or frequency",
            "arXiv 2311.15830",
        ),
    ]
