"""What this distribution brings: electroencephalograms, two tokenizers, a masker and two recipes."""

from __future__ import annotations

from jepakit.sdk import API as API
from jepakit.sdk import ComponentSpec, QualitySet, RecipeSpec, hookimpl


@hookimpl
def register_components() -> list[ComponentSpec]:
    """The modality; patches of single electrodes as spectra, waveforms or through convolutions; regions of the head."""
    at = "jepakit_eeg."
    return [
        ComponentSpec("modality", "eeg", f"{at}modality:EegModality", summary="EEG through MNE or npz, electrodes by position"),
        ComponentSpec("tokenizer", "eeg-patch", f"{at}tokenizer:EegTokenizer", f"{at}tokenizer:EegSettings", "spectra or waveforms"),
        ComponentSpec("tokenizer", "eeg-conv", f"{at}convolution:ConvTokenizer", f"{at}convolution:ConvSettings", "convolutions"),
        ComponentSpec("masker", "eeg-region", f"{at}masker:RegionMasker", f"{at}masker:RegionSettings", "neighbouring electrodes"),
    ]


FLICKER = "$JEPAKIT_DATA/eeg_ssvep_exo/ssvep_exo.npz::align=subject"
SSVEP = QualitySet("eeg_ssvep_exo", f"{FLICKER}::subjects=1:8", f"{FLICKER}::subjects=9:12", ("evaluate.folds=8",))


@hookimpl
def register_recipes() -> list[RecipeSpec]:
    """Blocks of electrodes and times; regions of the head."""
    tied, region = ("jepakit_eeg:recipes/eeg.yaml", "jepakit_eeg:recipes/eeg_signal.yaml")
    return [
        RecipeSpec("eeg", "eeg", tied, "EEG-VJEPA: electrodes and times hidden", "arXiv 2507.03633", (SSVEP,)),
        RecipeSpec("eeg-signal", "eeg", region, "Signal-JEPA: regions of the head", "arXiv 2403.11772", (SSVEP,)),
    ]
