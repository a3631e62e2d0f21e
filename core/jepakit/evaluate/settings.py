"""Options of an evaluation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from jepakit.errors import unknown_name
from jepakit.evaluate.pooling import POOLINGS, is_pooling
from jepakit.settings import Settings

METRIC_NAMES = (
    "accuracy", "balanced_accuracy", "macro_f1", "auroc", "auprc", "rmse", "mse", "mae", "r2", "exact_match",
    "recall_at_1", "recall_at_5", "mean_average_precision",
)  # fmt: skip
"""All that `scores` and `retrieval` can compute. exact_match: all labels of a sample right."""


class EvalSettings(Settings):
    """Options of the frozen-feature evaluation. Defaults fit 10,000 samples of 384 features on two cores in about a minute a row."""

    encoder: Literal["auto", "context", "target"] = Field("auto", description="which encoder; auto = the averaged one where there is one")
    poolings: tuple[str, ...] = Field(POOLINGS, min_length=1, description="candidates; one is chosen on training samples")
    split: Literal["holdout", "leave-one-group-out", "folds"] = Field(
        "holdout", description="holdout = the test set, or a part held out; the others judge every sample once, and print each fold"
    )
    probes: tuple[str, ...] = Field(
        ("linear", "knn"),
        min_length=1,
        description="linear, knn, svm, mlp, boosting, attentive, retrieval, finetune, and what plugins register; the first one judges",
    )
    metrics: tuple[str, ...] = Field((), description="none = those that fit the labels; the first one judges and chooses")
    weighting: Literal["none", "balanced", "sqrt"] = Field(
        "none", description="weight of a class in fitting: one, or its inverse frequency, or the root of that"
    )
    centre_groups: bool = Field(
        False, description="subtract from every feature the median over the sample's own group; looks at unlabelled test samples"
    )
    facts: bool = Field(True, description="put the numbers of the samples' meta['facts'] beside the features of every row")
    classical: bool = Field(True, description="the modality's library baseline as a row of its own")
    dense_tokens: int = Field(256, ge=1, description="labelled tokens looked at in a sample with dense labels; at most 20,000 in all")
    finetune_steps: int = Field(300, ge=1, description="optimiser steps of full fine-tuning")
    finetune_rate: float = Field(1e-3, gt=0, description="peak learning rate of full fine-tuning; the head learns ten times as fast")
    budgets: tuple[int, ...] = Field((1, 5, 20), description="labels a class, beside all of them")
    draws: int = Field(10, ge=1, description="random choices of the labelled samples for each budget; the value is their mean")
    strengths: tuple[float, ...] = Field(
        (0.001, 0.01, 0.1, 1.0), min_length=1, description="C of the linear probe, chosen on training samples"
    )
    few_label_strength: float = Field(0.1, gt=0, description="C where labels are too few to choose it")
    ridge: tuple[float, ...] = Field(
        (0.1, 1.0, 10.0, 100.0, 1e3, 1e4), min_length=1, description="penalties of the ridge probe, chosen on training samples"
    )
    neighbours: tuple[int, ...] = Field(
        (1, 5, 20), min_length=1, description="k of the nearest-neighbour probe, chosen on training samples"
    )
    folds: int = Field(3, ge=2, description="parts of the cross-validation that chooses pooling, C and k")
    max_fit_rows: int = Field(3000, ge=10, description="training samples used to choose and to fit components; the probe sees all")
    max_width: int = Field(1024, ge=1, description="features above which they are reduced to `components`")
    components: int = Field(256, ge=1, description="principal components kept, fitted on training samples")
    iterations: int = Field(300, ge=1, description="most solver steps of the linear probe")
    resamples: int = Field(1000, ge=10, description="bootstrap resamples of the test samples for the 95 % intervals")
    holdout: float = Field(0.2, gt=0, lt=1, description="share of the training samples that is held out when there is no test set")

    @field_validator("poolings")
    @classmethod
    def poolings_exist(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not is_pooling(name):
                raise ValueError(unknown_name("pooling", name, (*POOLINGS, "max", "std", "grid:4", "pyramid:2")))
        return names

    @field_validator("metrics")
    @classmethod
    def metrics_exist(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in METRIC_NAMES:
                raise ValueError(unknown_name("metric", name, METRIC_NAMES))
        return names
