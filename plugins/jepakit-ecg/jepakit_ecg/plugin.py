"""What this distribution brings: electrocardiograms, a view of them and two recipes. Tokens are those of time series."""

from __future__ import annotations

from jepakit.sdk import API as API
from jepakit.sdk import ComponentSpec, RecipeSpec, hookimpl


@hookimpl
def register_components() -> list[ComponentSpec]:
    """The modality and its view; the tokenizer is `series-patch`."""
    return [
        ComponentSpec("modality", "ecg", "jepakit_ecg.modality:EcgModality", summary="electrocardiograms, leads by name"),
        ComponentSpec("view", "ecg-leads", "jepakit_ecg.views:LeadView", "jepakit_ecg.views:LeadSettings", "fewer leads, crop, gain"),
    ]


@hookimpl
def register_recipes() -> list[RecipeSpec]:
    """All leads in one token, or a token a lead."""
    return [
        RecipeSpec("ecg", "ecg", "jepakit_ecg:recipes/ecg.yaml", "ECG-JEPA: all leads in a token, spans hidden", "arXiv 2410.13867"),
        RecipeSpec("ecg-lead", "ecg", "jepakit_ecg:recipes/ecg_lead.yaml", "a token a lead, the same times hidden", "arXiv 2410.08559"),
    ]
