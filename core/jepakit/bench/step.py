"""`jepakit bench step`: our step against the published one written plainly, on the same weights, masks and images.

Both run in one process in turn (A, B, A, B, …), so that a machine whose speed drifts slows both; what counts is the median of the
ratios round by round. The losses of the first step are compared before anything is timed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from jepakit import precision
from jepakit.bench.published import PublishedStep
from jepakit.contracts import Batch, Context, IndexSet, Layout, MaskPlan, Query, Raw, Sample, Tokenizer, Tokens
from jepakit.jepa import Jepa, Term
from jepakit.model.backbone import Backbone
from jepakit.model.encoder import EncoderSettings, TransformerEncoder
from jepakit.model.predictor import TransformerPredictor, TransformerSettings
from jepakit.objectives import SmoothL1, SmoothL1Settings
from jepakit.targets import EmaSettings, EmaTarget
from jepakit.targets_transform import LevelsSettings, LevelsTransform

WIDTH, DEPTH, HEADS = 192, 12, 3
PREDICTOR = (96, 6, 3)
PATCH_VALUES, GRID = 3 * 8 * 8, 12
"""ViT-Tiny on 96-pixel images in patches of 8."""
BLOCK = (5, 5)
"""A target block: 25 of 144 positions, in the published range of 15 to 20 %."""
TARGETS, MOMENTUM = 4, 0.996


@dataclass(frozen=True)
class Comparison:
    """One line of the table. ratio: how many times faster ours is, median over rounds; low, high: the extremes."""

    batch: int
    precision: str
    ours_ms: float
    published_ms: float
    ratio: float
    low: float
    high: float
    loss_ours: float
    loss_published: float


class FlatPatches(Tokenizer):
    """Patches that are already rows of values, so that decoding is not timed."""

    axes = ("y", "x")

    def __init__(self) -> None:
        super().__init__()
        self.width = WIDTH
        self.proj = nn.Linear(PATCH_VALUES, WIDTH)

    def layout(self, sample: Sample, stream: str) -> Layout | None:
        return None

    def forward(self, raw: Raw) -> Tokens:
        assert raw.coords is not None
        assert raw.valid is not None
        assert raw.channel is not None
        return Tokens(self.proj(raw.values.to(self.proj.weight.dtype)), raw.coords, raw.valid, raw.channel)


def masks(batch: int, seed: int) -> tuple[Tensor, list[Tensor]]:
    """Context positions (B, n) cut at random to the shortest of the batch, and four target blocks (B, 25)."""
    generator = torch.Generator().manual_seed(seed)
    height, width = BLOCK
    place = torch.arange(GRID * GRID).reshape(GRID, GRID)
    targets = torch.empty(TARGETS, batch, height * width, dtype=torch.int64)
    kept = []
    for row in range(batch):
        visible = torch.ones(GRID, GRID, dtype=torch.bool)
        for number in range(TARGETS):
            top, left = (int(torch.randint(0, GRID - side + 1, (), generator=generator)) for side in BLOCK)
            targets[number, row] = place[top : top + height, left : left + width].flatten()
            visible[top : top + height, left : left + width] = False
        kept.append(place[visible])
    shortest = min(len(part) for part in kept)
    cut = [part[torch.randperm(len(part), generator=generator)[:shortest].sort().values] for part in kept]
    return torch.stack(cut), list(targets.unbind(0))


def build_ours() -> Jepa:
    """Our step with the executor of the published one: a predictor row a target block."""
    encoder = TransformerEncoder(EncoderSettings(width=WIDTH, depth=DEPTH, heads=HEADS), axes=2)
    backbone = Backbone({"main": FlatPatches()}, encoder)
    target = EmaTarget(EmaSettings(start=MOMENTUM, end=MOMENTUM), backbone=backbone, transform=LevelsTransform(LevelsSettings()))
    width, depth, heads = PREDICTOR
    settings = TransformerSettings(width=width, depth=depth, heads=heads)
    predictor = TransformerPredictor(settings, context_width=WIDTH, target_width=WIDTH)
    terms = [Term("smooth-l1", SmoothL1(SmoothL1Settings(), width=WIDTH), 1.0)]
    return Jepa(backbone, target, predictor=predictor, terms=terms, executor="rows")


def build_published(ours: Jepa) -> PublishedStep:
    """The plain step on the weights of ours."""
    plain = PublishedStep(patch_values=PATCH_VALUES, grid=GRID, width=WIDTH, depth=DEPTH, heads=HEADS, predictor=PREDICTOR)
    state = ours.state_dict()
    sections = {
        "backbone.tokenizers.main.proj.": "proj.",
        "backbone.encoder.": "encoder.",
        "target.average.tokenizers.main.proj.": "target_proj.",
        "target.average.encoder.": "target_encoder.",
        "predictor.queries.": "predictor.",
        "predictor.": "predictor.",
    }
    named = {}
    for name, value in state.items():
        prefix = next(prefix for prefix in sections if name.startswith(prefix))
        named[sections[prefix] + name[len(prefix) :]] = value
    plain.load_state_dict(named)
    return plain


def our_step(jepa: Jepa, batch: Batch, plan: MaskPlan, number_format: precision.Precision) -> Callable[[], float]:
    """One whole optimiser step of ours as a function, giving the loss."""
    optimizer = torch.optim.AdamW([part for part in jepa.parameters() if part.requires_grad], lr=1e-4, fused=True)

    def step() -> float:
        loss: Tensor = precision.run(jepa, number_format, batch, plan, 0)[0]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        jepa.after_step(1, 1)
        return loss.item()

    return step


def published_step(plain: PublishedStep, patches: Tensor, keep: Tensor, targets: list[Tensor]) -> Callable[[], float]:
    """The same of the published one, with torch's default AdamW."""
    optimizer = torch.optim.AdamW([part for part in plain.parameters() if part.requires_grad], lr=1e-4)

    def step() -> float:
        loss: Tensor = plain(patches, keep, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        plain.average(MOMENTUM)
        return loss.item()

    return step


def compare(batch_size: int, number_format: precision.Precision, rounds: int) -> Comparison:
    """Times both steps in turn. The published one runs in float32, as released; ours in `number_format`."""
    generator = torch.Generator().manual_seed(batch_size)
    patches = torch.randn(batch_size, GRID * GRID, PATCH_VALUES, generator=generator)
    keep, targets = masks(batch_size, seed=0)
    ours = build_ours()
    plain = build_published(ours)
    batch = Batch({"main": raw(patches)}, ids=tuple(str(number) for number in range(batch_size)))
    plan = MaskPlan((Context(IndexSet(keep, dense=True)),), tuple(Query(IndexSet(part, dense=True)) for part in targets))
    steps = (our_step(ours, batch, plan, number_format), published_step(plain, patches, keep, targets))
    first = [step() for step in steps]
    times = [[timed(step) for step in steps] for _ in range(rounds)]
    ratios = sorted(theirs / own for own, theirs in times)
    return Comparison(
        batch=batch_size,
        precision=number_format,
        ours_ms=1e3 * statistics.median(own for own, _ in times),
        published_ms=1e3 * statistics.median(theirs for _, theirs in times),
        ratio=statistics.median(ratios),
        low=ratios[0],
        high=ratios[-1],
        loss_ours=first[0],
        loss_published=first[1],
    )


def raw(patches: Tensor) -> Raw:
    """Patches with the coordinates of their grid."""
    place = torch.arange(GRID, dtype=torch.float32)
    coords = torch.stack(torch.meshgrid(place, place, indexing="ij"), dim=-1).reshape(1, -1, 2).expand(len(patches), -1, -1)
    shape = patches.shape[:2]
    return Raw(patches, coords=coords, valid=torch.ones(shape, dtype=torch.bool), channel=torch.zeros(shape, dtype=torch.int64))


def timed(step: Callable[[], float]) -> float:
    """Seconds that one step takes."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def run_bench(batches: tuple[int, ...] = (16, 64), rounds: int = 7) -> dict[str, Any]:
    """All comparisons, with what they ran on."""
    rows = [asdict(compare(size, kind, rounds)) for size in batches for kind in ("float32", "bf16", "bf16-weights")]
    return {"bench": "step", "torch": torch.__version__, "threads": torch.get_num_threads(), "rounds": rounds, "rows": rows}
