"""What this distribution brings: electrocardiograms and two recipes. Tokens are those of time series."""

from __future__ import annotations

from jepakit.sdk import API as API
from jepakit.sdk import ComponentSpec, RecipeSpec, hookimpl


@hookimpl
def register_components() -> list[ComponentSpec]:
    """The modality; the tokenizer is `series-patch`."""
    return [ComponentSpec("modality", "ecg", "jepakit_ecg.modality:EcgModality", summary="electrocardiograms, leads by name")]


@hookimpl
def register_recipes() -> list[RecipeSpec]:
    """All leads in one token, or a token a lead."""
    return [
        RecipeSpec("ecg", "ecg", "jepakit_ecg:recipes/ecg.yaml", "ECG-JEPA: all leads in a token, spans hidden", "arXiv 2410.13867"),
        RecipeSpec("ecg-lead", "ecg", "jepakit_ecg:recipes/ecg_lead.yaml", "a token a lead, the same times hidden", "arXiv 2410.08559"),
    ]
