"""What this distribution brings: two ways to train on log-mel patches."""

from __future__ import annotations

from jepakit.sdk import API as API
from jepakit.sdk import RecipeSpec, hookimpl


@hookimpl
def register_recipes() -> list[RecipeSpec]:
    """Audio-JEPA."""
    return [RecipeSpec("audio", "audio", "jepakit_audio:recipes/audio.yaml", "Audio-JEPA on log-mel patches", "arXiv 2507.02915")]
