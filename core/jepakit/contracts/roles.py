"""The roles that a component can play: abstract base classes, nothing concrete.

A class that plays a role is final: it derives from one role and nothing else, and gets what it needs by constructor arguments.
Letters as in `carriers`; R rows the predictor runs, Dt target width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from torch import Tensor, nn

from jepakit.contracts.carriers import Batch, Condition, Features, Layout, MaskPlan, Raw, Sample, Tokens
from jepakit.errors import ContractError


class Reader(ABC):
    """Random access to the samples of one source. Raises only `DataError`, naming file and field."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, index: int) -> Sample:
        """Sample number `index`, 0 <= index < len(self); the same every time."""

    @abstractmethod
    def spec(self) -> Mapping[str, Any]:
        """What all samples share, JSON-able: at least {"kind": modality name}; channels, class_names, rate_hz, shapes.

        label_kind: "classification" (int), "regression" (a float, or a 1-D float array: several numbers, or the horizon of a forecast
        times its channels), "multilabel" (1-D 0/1 array, one a class) or "dense" (1-D int array, one class a token in the order of the
        layout, -1 = unknown). Left out, it is inferred: whole numbers are classes, floating-point numbers and arrays are regression;
        "multilabel" and "dense" must be said.

        buckets: lengths of runs of consecutive samples that training batches apart, because they differ in size; left out, one run of all.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """A short digest that changes when the data changes; resume compares it."""


class ViewMaker(ABC):
    """Augmentation: sample in, sample out. It may return several streams, and parameters in `meta["condition"]` (a 1-D float array).

    carries_asides: it cuts streams named `ASIDE…` as it cuts the stream that they were made of, so that both stay aligned.
    """

    carries_asides: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, sample: Sample, rng: np.random.Generator, progress: float) -> Sample:
        """`rng` is keyed by (seed, epoch, sample id); `progress` in [0, 1] is the share of planned steps done."""


class Tokenizer(nn.Module, ABC):
    """Raw arrays → tokens without positions. It trains with the context encoder.

    `fit` learns scalers or vocabularies from training samples only and keeps them as buffers, so that they travel with the run.
    """

    width: int
    axes: tuple[str, ...]

    def fit(self, samples: Sequence[Sample]) -> None:
        """Learn statistics from up to a few thousand training samples; nothing by default. Called once, before training."""
        return None

    @abstractmethod
    def layout(self, sample: Sample, stream: str) -> Layout | None:
        """Positions of the tokens of one sample, on the CPU, without parameters. None: known only after `forward`."""

    @abstractmethod
    def forward(self, raw: Raw) -> Tokens:
        """Embed one stream of a batch. Padding in `raw` must not change what valid tokens become."""

    def continuous(self, raw: Raw) -> Raw:
        """The same input with floating-point values that give the same tokens, so that one can differentiate with respect to them.

        Raises `ContractError` where values are whole numbers, unless a tokenizer that scales those by their format says how.
        """
        if not raw.values.is_floating_point():
            raise ContractError(
                f"{type(self).__name__} says not how {raw.values.dtype} values become continuous; give it floating-point data"
            )
        return raw


@dataclass(frozen=True)
class MaskRequest:
    """What a masker gets beside the layout.

    rng: keyed by (seed, epoch, sample id). shared: keyed by (seed, step), the same for all samples of a batch, on every rank
    and worker, for choices that a batch shares (block sizes). progress in [0, 1]. hints: target features of this sample for
    the "teacher" phase, one (N, D) array a level.
    """

    rng: np.random.Generator
    shared: np.random.Generator
    progress: float = 0.0
    hints: Sequence[np.ndarray] = ()


class Masker(ABC):
    """Chooses contexts and queries for one sample from coordinates alone, so that one masker serves every modality.

    phase: "collate" in the data worker; "device" after tokenisation; "teacher" after the target pass, with hints.
    """

    phase: Literal["collate", "device", "teacher"] = "collate"

    @abstractmethod
    def __call__(self, layouts: Mapping[str, Layout], request: MaskRequest) -> MaskPlan:
        """A plan for one sample whose `IndexSet.idx` are sorted int64 arrays (n,) into valid tokens, none of them empty."""


class Encoder(nn.Module, ABC):
    """Tokens → features. `caps` says how it can leave tokens out.

    drop: it runs on any subset of tokens. key_mask: it runs on all, attending to valid ones only. dense_mask: it runs on the
    full grid with hidden tokens zeroed and a mask beside it (convolutions).
    """

    width: int
    depth: int
    caps: ClassVar[frozenset[str]]

    @abstractmethod
    def forward(
        self,
        x: Tensor,
        coords: Tensor,
        valid: Tensor | None = None,
        *,
        channel: Tensor | None = None,
        prefix: Tensor | None = None,
        condition: Condition | None = None,
        levels: tuple[int, ...] = (),
        grid: tuple[int, ...] | None = None,
    ) -> Features:
        """x (R, n, D), coords (R, n, K), valid (R, n) bool or None = all. `levels`: numbers of blocks (0-based, negative from the end)."""


class Predictor(nn.Module, ABC):
    """Context features and query positions → predicted target embeddings (R, nq, Dt)."""

    style: Literal["concat", "cross", "pointwise", "dense_fill", "causal"]

    @abstractmethod
    def forward(
        self,
        context: Tensor,
        context_coords: Tensor,
        context_valid: Tensor | None,
        query_coords: Tensor,
        query_valid: Tensor | None,
        *,
        query_kind: Tensor | None = None,
        query_group: Tensor | None = None,
        context_channel: Tensor | None = None,
        query_channel: Tensor | None = None,
        condition: Condition | None = None,
    ) -> Tensor:
        """context (R, n, D), query_coords (R, nq, K), query_kind (R, nq) int64.

        query_group (R, nq) int64, or None: with groups a query sees the context and its own group, and the context sees only itself.
        """


class TargetTransform(nn.Module, ABC):
    """Features → what is predicted: pick or mix levels, normalise. `levels` are the blocks it asks the encoder for."""

    levels: tuple[int, ...]

    @abstractmethod
    def forward(self, features: Features, valid: Tensor | None) -> Tensor:
        """(B, N, Dt), float32."""

    @abstractmethod
    def out_width(self, width: int) -> int:
        """Dt for features of `width`."""


class TargetProvider(nn.Module, ABC):
    """Where targets come from: an averaged encoder, a frozen one, the online one, a function of the raw input, another stream."""

    width: int

    @abstractmethod
    def forward(
        self, streams: Mapping[str, Raw], tokens: Mapping[str, Tokens], online: nn.Module, names: Sequence[str]
    ) -> dict[str, Tensor]:
        """Targets (B, N, Dt) for every valid token of each named stream, one pass a stream. `online` is the context backbone."""

    def asides(self, sample: Sample) -> dict[str, np.ndarray]:
        """What this target needs of a sample that no step changes: computed once, kept in memory, named `ASIDE…`; nothing by default.

        The arrays go through the view and the collation like any stream, and come back in `streams` of `forward`.
        """
        return {}

    @property
    def has_asides(self) -> bool:
        """Whether `asides` gives anything."""
        return False

    def settle(self, online: nn.Module) -> None:
        """Called once before the first step, when tokenizers have been fitted: take over what was learned since you were made."""
        return None

    def after_step(self, online: nn.Module, step: int, total: int) -> dict[str, float]:
        """Called once after each optimiser step, with the number of the step just done; returns what to log."""
        return {}


@dataclass(frozen=True)
class StepOutput:
    """All that an objective or a monitor may look at after one forward pass.

    predictions, targets: one (B, n, Dt) a query. valid: (B, n) bool or None. weights: (B, n) or None.
    contexts: one `Features` a context. losses: named scalar terms, already weighted. total: their sum.
    """

    predictions: tuple[Tensor, ...] = ()
    targets: tuple[Tensor, ...] = ()
    valid: tuple[Tensor | None, ...] = ()
    weights: tuple[Tensor | None, ...] = ()
    contexts: tuple[Features, ...] = ()
    batch: Batch | None = None
    plan: MaskPlan | None = None
    target_streams: Mapping[str, Tensor] = field(default_factory=dict)


class Objective(nn.Module, ABC):
    """One term of the loss. It may own parameters; statistics across ranks go through `jepakit.crossrank` only."""

    @abstractmethod
    def forward(self, out: StepOutput, step: int) -> Tensor:
        """A float32 scalar, unweighted. `step` keys what a term draws at random (slices), the same on every rank."""


@dataclass(frozen=True)
class Advice:
    """How data is best read. options: what stands behind the path and `::`. changes: "key=value" for the recipe. reason: a sentence."""

    options: str = ""
    changes: tuple[str, ...] = ()
    reason: str = ""


class Modality(ABC):
    """What a kind of data is: how to open it, make it up, look at it, and what its raw features are. No torch needed."""

    name: str
    streams: tuple[str, ...] = ("main",)

    @abstractmethod
    def open(self, source: str, split: str) -> Reader:
        """Open a path or `bundled:NAME`. split: "train", "test" or "all"; a path holds one split, so "train" and "all" are it."""

    @abstractmethod
    def synthetic(self, count: int, seed: int, split: str = "train") -> Reader:
        """Made-up samples with known structure: a label that a good encoder separates and raw features do not."""

    def resembles(self, sample: Sample) -> float:
        """How much a sample that this modality has read looks like its kind, 0 (anything of this shape) to 1 (nothing else).

        `jepakit inspect` asks where several modalities can read the same file, as many can an .npz of numbers.
        """
        return 0.5

    def advice(self, sample: Sample) -> Advice:
        """What recipes need to learn from a source whose samples are like this one; `jepakit inspect` puts it into its command."""
        return Advice()

    @abstractmethod
    def raw_features(self, sample: Sample) -> np.ndarray:
        """(F,) float32, F the same for all samples: what one would feed to a classifier without an encoder."""

    def classical(self, task: str) -> tuple[str, Any] | None:
        """The well-known library baseline of this kind of data, so that an evaluation can put it beside the encoder; None without one.

        Args:
            task: label kind of the data, as in `Reader.spec`: "classification", "regression", "multilabel" or "dense".

        Returns:
            A name for the table ("HOG + logistic regression") and an unfitted estimator in the manner of scikit-learn:
            `fit(samples, y)` and `predict(samples)` take lists of `Sample` whose labels are withheld, y is (M,) or (M, L); after
            `fit` a classifier that gives probabilities also has `classes_` and `predict_proba(samples)`. What it chooses, it
            chooses on the samples it is fitted on; it sees their `group`. It is deterministic. None for a task that it can't do, or
            when its library is not installed.
        """
        return None

    def token_labels(self, sample: Sample, layout: Layout) -> np.ndarray | None:
        """Dense labels of raw positions (points, pixels, moments) as one class a token, (N,) int with -1 = unknown.

        None leaves it to the core, which takes one label a token as it is, and the most frequent class of each cell of a grid.
        """
        return None

    def picture(self, sample: Sample) -> np.ndarray | None:
        """(H, W, 3) uint8 for the report, or None."""
        return None

    def mask_picture(self, sample: Sample, layout: Layout, plan: MaskPlan) -> np.ndarray | None:
        """(H, W, 3) uint8: the sample with context shown and hidden parts dimmed, targets outlined; or None."""
        return None
