"""What this distribution brings: electrocardiograms, a view of them and three recipes. Tokens are those of time series."""

from __future__ import annotations

from jepakit.sdk import API as API
from jepakit.sdk import ComponentSpec, QualitySet, RecipeSpec, hookimpl


@hookimpl
def register_components() -> list[ComponentSpec]:
    """The modality and its view; the tokenizer is `series-patch`."""
    return [
        ComponentSpec("modality", "ecg", "jepakit_ecg.modality:EcgModality", summary="electrocardiograms, leads by name"),
        ComponentSpec("view", "ecg-leads", "jepakit_ecg.views:LeadView", "jepakit_ecg.views:LeadSettings", "fewer leads, crop, gain"),
    ]


CINC = "$JEPAKIT_DATA/ecg_cinc2021_12lead/ecg12_250hz.npz"
ONE_SECOND = "rate=120::band=0.5:40::seconds=1"
MITBIH = f"$JEPAKIT_DATA/ecg_mitbih::{ONE_SECOND}::beats=yes"
OF_BEATS = (
    "evaluate.centre_groups=true",
    "evaluate.probes=[linear,boosting]",
    "evaluate.budgets=[]",
    "evaluate.strengths=[0.003,0.03]",
    "evaluate.iterations=100",
    "train.steps=400",
    "masker.length=[2,6]",
    "views={name: ecg-leads, drop: 0.5, scale: 0.3, noise: 0.02}",
)
BEATS, BEATS_BY_LEAD = (
    QualitySet(
        "ecg_mitbih-beats",
        f"{MITBIH}::every=6::split=DS1",
        f"{MITBIH}::every=6::split=DS2",
        (*OF_BEATS, *own),
        pretrain=f"$JEPAKIT_DATA/ecg_mitbih,{CINC}::{ONE_SECOND}::split=DS1::balance=even",
    )
    for own in (
        ("data.batch=256", "evaluate.poolings=[mean,mean+std,flat]"),
        ("data.batch=64", "tokenizer.patch=6", "evaluate.poolings=[mean,mean+std]"),
    )
)
TEN_SECONDS = "rate=100::band=0.5:40::seconds=10"
FOLDS = (
    "data.batch=48",
    "evaluate.split=leave-one-group-out",
    "evaluate.metrics=[accuracy,macro_f1]",
    "evaluate.weighting=none",
    "evaluate.budgets=[]",
    "evaluate.probes=[linear]",
    'evaluate.poolings=[mean,mean+std,"grid:4","levels:mean+std"]',
)
RHYTHM = QualitySet(
    "ecg_cinc2021-rhythm",
    f"{CINC}::{TEN_SECONDS}::label=rhythm::keep=NSR+SB+STach+AF/AFL::group=fold",
    changes=(
        "train.steps=500",
        "tokenizer.patch=10",
        "views={name: ecg-leads, drop: 0.5, scale: 0.2, noise: 0.02}",
        "masker.hide=[0.5,0.7]",
        "masker.length=[4,20]",
        *FOLDS,
    ),
    pretrain=f"$JEPAKIT_DATA/ecg_mitbih,{CINC}::{TEN_SECONDS}::balance=even",
)
RHYTHM_BY_LEAD = QualitySet(
    RHYTHM.name, RHYTHM.data.replace("seconds=10", "seconds=5"), changes=FOLDS, pretrain=RHYTHM.pretrain.replace("seconds=10", "seconds=5")
)
RHYTHM_BY_ENVELOPE = QualitySet(RHYTHM.name, RHYTHM.data, changes=FOLDS, pretrain=RHYTHM.pretrain)


@hookimpl
def register_recipes() -> list[RecipeSpec]:
    """All leads in one token, a token a lead, or a token of how often a lead is steep."""
    whole, lead, rhythm = (f"jepakit_ecg:recipes/{name}.yaml" for name in ("ecg", "ecg_lead", "ecg_rhythm"))
    return [
        RecipeSpec("ecg", "ecg", whole, "ECG-JEPA: all leads in a token, spans hidden", "arXiv 2410.13867", (BEATS, RHYTHM)),
        RecipeSpec("ecg-lead", "ecg", lead, "a token a lead, the same times hidden", "arXiv 2410.08559", (RHYTHM_BY_LEAD, BEATS_BY_LEAD)),
        RecipeSpec("ecg-rhythm", "ecg", rhythm, "how often beats come, lead by lead", "arXiv 2410.08559", (RHYTHM_BY_ENVELOPE,)),
    ]
