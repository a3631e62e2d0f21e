"""What this distribution brings: radar images, their gradient-ratio target, two recipes, and a check of what clutter gives away."""

from __future__ import annotations

from jepakit.sdk import API as API
from jepakit.sdk import CommandSpec, ComponentSpec, QualitySet, RecipeSpec, hookimpl


@hookimpl
def register_components() -> list[ComponentSpec]:
    """A modality, how it becomes tokens, how it is cropped, and what is predicted."""
    return [
        ComponentSpec("modality", "sar", "jepakit_sar.modality:SarModality", summary="radar amplitude of any channel count"),
        ComponentSpec(
            "tokenizer",
            "sar-patch",
            "jepakit_sar.tokenizer:SarTokenizer",
            "jepakit_sar.tokenizer:SarTokenizerSettings",
            "square patches of amplitude or its logarithm; patches without data are no tokens",
        ),
        ComponentSpec("view", "sar-crop", "jepakit_sar.views:SarCrop", "jepakit_sar.views:SarCropSettings", "a shifted window, gain, flip"),
        ComponentSpec(
            "target",
            "gradient-ratio",
            "jepakit_sar.target:gradient_target",
            "jepakit_sar.target:GradientSettings",
            "multi-scale ratio gradients of the amplitude (SAR-JEPA)",
        ),
    ]


MSTAR = "$JEPAKIT_DATA/mstar_soc10/"
VEHICLES = QualitySet("mstar_soc10", f"{MSTAR}train.npz", f"{MSTAR}test.npz", ("evaluate.probes=[linear]",))


@hookimpl
def register_recipes() -> list[RecipeSpec]:
    """SAR-JEPA, and the same encoder with a latent target for comparison."""
    gradients, latent = ("jepakit_sar:recipes/sar.yaml", "jepakit_sar:recipes/sar_latent.yaml")
    return [
        RecipeSpec("sar", "sar", gradients, "SAR-JEPA: predicts gradient ratios, no teacher", "arXiv 2311.15153", (VEHICLES,)),
        RecipeSpec("sar-latent", "sar", latent, "the same with a latent target", "arXiv 2301.08243", (VEHICLES,)),
    ]


@hookimpl
def register_commands() -> list[CommandSpec]:
    """What an accuracy has to be read beside."""
    return [CommandSpec("sar-border", "jepakit_sar.border:command", "how well the border of radar chips alone tells their class")]
