"""What this distribution brings: electroencephalograms and a recipe. Tokens are those of time series."""

from __future__ import annotations

from jepakit.sdk import API as API
from jepakit.sdk import ComponentSpec, RecipeSpec, hookimpl


@hookimpl
def register_components() -> list[ComponentSpec]:
    """The modality; the tokenizer is `series-patch`."""
    return [ComponentSpec("modality", "eeg", "jepakit_eeg.modality:EegModality", summary="EEG through MNE or npz, electrodes by name")]


@hookimpl
def register_recipes() -> list[RecipeSpec]:
    """Spectral patches of each channel, blocks of channels and times hidden."""
    return [RecipeSpec("eeg", "eeg", "jepakit_eeg:recipes/eeg.yaml", "EEG-VJEPA: blocks of channels and times", "arXiv 2507.03633")]
