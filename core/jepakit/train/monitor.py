"""The collapse watch: do the embeddings still tell samples apart, and is more than position learned?

No single number sees every collapse: a centred rank scores a constant plus noise as healthy, an uncentred one a harmless mean as
collapsed, a spread over tokens stays high when only position is left, and an untrained transformer may start at a cosine of .95.
So the watch reads them together, judges against the values it met first, and asks for several measures in a row: a false alarm
that ends a good run is worse than one that comes late.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from jepakit.contracts import StepOutput
from jepakit.crossrank import all_gather_rows, world_size
from jepakit.measures import content_std, mean_cosine, per_dim_std, position_ratio, rankme
from jepakit.objectives import pooled_contexts
from jepakit.settings import Settings

LOST_SPREAD = 1e-2
"""Share of the first spread below which it counts as gone."""
SAME_DIRECTION = 0.99
"""Mean cosine above which embeddings may have collapsed, if they did not start there."""
IDENTICAL = 1e-7
"""1 - mean cosine below which embeddings are one and the same whatever they started as: noise of 3e-4 around a constant."""
ONE_DIRECTION = 1.2
"""Centred rank of a line. Healthy encoders, untrained ones included, measured 5 and more."""
FEW_DIRECTIONS = 3.0
LOW_SHARE, FALLEN, FALLEN_FAR = 0.1, 1 / 2, 1 / 3
"""Shrinking: rank below 1/2 of its best, or below a tenth of what is possible and 1/3 of its first value. A good image run was
measured to dip to .46 of its first rank and come back, a run that really shrank went to .23."""
ONLY_POSITION = 0.95
"""Position ratio above which nothing but position is learned. Runs that learned were measured at .93 and below."""
LOSS_ROSE = 1.2
"""Warm-up ends after 300 steps at the latest, so that a long run does not spend an hour on a collapse of its first minute: of 33 runs that
were looked at again, on images, radar chips, windows of photographs and digits, none came near a collapse at any step."""

State = Literal["healthy", "warming up", "positional", "shrinking", "collapsed"]


class MonitorSettings(Settings):
    """Options of the collapse watch."""

    min_embeddings: int = Field(256, ge=2, description="embeddings a measure needs; fewer give no number. Batches are added up until then")
    max_queries: int = Field(8192, ge=256, description="target embeddings kept for a measure, drawn at random from the queries")
    patience: int = Field(3, ge=1, description="measures in a row before the verdict changes to something bad")
    warmup: float = Field(0.1, ge=0, le=1, description="share of the planned steps without a verdict")
    warmup_most: int = Field(300, ge=0, description="steps without a verdict at most, however long the run")
    position_after: float = Field(0.3, ge=0, le=1, description="share of the planned steps after which position alone is not enough")
    position_most: int = Field(800, ge=0, description="steps after which it is not enough, however long the run")
    planned_steps: int = Field(2000, ge=1, description="steps assumed where the loop does not say how many it plans")


@dataclass(frozen=True)
class Verdict:
    """What the watch thinks, and one or two sentences: what it means and what to do."""

    state: State
    sentence: str


@dataclass
class _Memory:
    """All that outlives a measure; JSON holds it."""

    progress: float = 0.0
    step: int = 0
    measures: int = 0
    first: dict[str, float] = field(default_factory=dict)
    latest: dict[str, float] = field(default_factory=dict)
    best_rank: float = 0.0
    streaks: dict[str, int] = field(default_factory=dict)
    loss: float | None = None
    lowest_loss: float | None = None


class CollapseWatch:
    """Adds up embeddings over calls, measures them when there are enough, and remembers what it saw."""

    def __init__(self, settings: MonitorSettings) -> None:
        self.settings = settings
        self._memory = _Memory()
        self._window = _Window(settings)

    def update(self, step: int, out: StepOutput, loss: float, planned: int | None = None) -> dict[str, float]:
        """Look at one step, at logging cadence. Collective when ranks are several: call it on all of them.

        Args:
            step: number of the step just done. out: its tensors, detached. planned: steps of the whole run, as far as known.

        Returns:
            std and prediction_std (targets and predictions at query positions), content_std (of targets beyond their position),
            context_std, rank, rank_uncentred, cosine (pooled context embeddings), position_ratio; nothing until there are enough
            embeddings, and never a number made of too few.
        """
        self._at(step, planned)
        self._follow(loss)
        self._window.add(step, out)
        if not self._window.full:
            return {}
        numbers, limit = self._window.measure(), self._window.rank_limit
        self._window = _Window(self.settings)
        self._remember(numbers, limit)
        return numbers

    def replay(self, step: int, numbers: Mapping[str, float], *, limit: int, planned: int) -> Verdict:
        """The verdict on numbers that were measured before, as `update` returned them. limit: the largest rank they could have."""
        self._at(step, planned)
        self._follow(numbers.get("loss", 0.0))
        self._remember(dict(numbers), limit)
        return self.verdict()

    def verdict(self) -> Verdict:
        """The state after the latest measure."""
        memory, patience = self._memory, self.settings.patience
        if not self._warm or memory.measures < patience:
            return Verdict("warming up", _WARMING.format(done=memory.measures, needed=patience, embeddings=self.settings.min_embeddings))
        for state in ("collapsed", "positional", "shrinking"):
            if memory.streaks.get(state, 0) >= patience:
                return Verdict(state, _SENTENCES[state].format(**_shown(memory)))
        rose = memory.loss is not None and memory.lowest_loss is not None and memory.loss > LOSS_ROSE * memory.lowest_loss
        return Verdict("healthy", _HEALTHY.format(**_shown(memory)) + (_ROSE if rose else ""))

    def is_best(self) -> bool:
        """Whether the latest measure after warm-up has the highest centred rank so far, and nothing bad about it."""
        rank = self._memory.latest.get("rank", 0.0)
        return rank >= self._memory.best_rank > 0.0 and not any(self._memory.streaks.values())

    def state(self) -> dict[str, Any]:
        """What `load` needs, as JSON holds it. Embeddings of an unfinished measure are left out."""
        return asdict(self._memory)

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._memory = _Memory(**state)
        self._window = _Window(self.settings)

    def _at(self, step: int, planned: int | None) -> None:
        self._memory.step, self._memory.progress = step, step / (planned or self.settings.planned_steps)

    @property
    def _warm(self) -> bool:
        """Whether warm-up is over."""
        return self._memory.progress >= self.settings.warmup or self._memory.step >= self.settings.warmup_most

    @property
    def _past_position(self) -> bool:
        """Whether position alone is no longer enough."""
        return self._memory.progress >= self.settings.position_after or self._memory.step >= self.settings.position_most

    def _follow(self, loss: float) -> None:
        """A slow mean of the loss and its lowest value after warm-up."""
        memory = self._memory
        memory.loss = loss if memory.loss is None else 0.9 * memory.loss + 0.1 * loss
        if self._warm:
            memory.lowest_loss = min(memory.loss, memory.lowest_loss or memory.loss)

    def _remember(self, numbers: dict[str, float], limit: int) -> None:
        memory = self._memory
        memory.measures += 1
        memory.latest = numbers
        memory.first = memory.first or numbers
        if not self._warm:
            return
        memory.best_rank = max(memory.best_rank, numbers["rank"])
        signs = {
            "collapsed": is_collapsed(numbers, memory.first),
            "positional": self._past_position and numbers.get("position_ratio", 0.0) > ONLY_POSITION,
            "shrinking": is_shrunk(numbers["rank"], memory.first["rank"], memory.best_rank, limit),
        }
        memory.streaks = {state: memory.streaks.get(state, 0) + 1 if seen else 0 for state, seen in signs.items()}


def is_collapsed(now: Mapping[str, float], first: Mapping[str, float]) -> bool:
    """Whether samples are no longer told apart: spread gone, one direction, or a rank that fell to a few."""
    gone = any(now[name] <= LOST_SPREAD * first[name] for name in ("std", "context_std", "content_std") if name in now and name in first)
    apart, apart_first = 1 - now["cosine"], 1 - first["cosine"]
    aligned = now["cosine"] > SAME_DIRECTION and apart <= LOST_SPREAD * apart_first
    fell = now["rank"] < FEW_DIRECTIONS <= first["rank"] / 2
    return gone or aligned or fell or apart < IDENTICAL or now["rank"] < ONE_DIRECTION


def is_shrunk(rank: float, first: float, best: float, limit: int) -> bool:
    """Whether the embeddings keep far fewer directions than they had. A rank that was low from the start is the data's own."""
    return rank < FALLEN * best or (rank < LOW_SHARE * limit and rank < FALLEN_FAR * first)


class _Window:
    """Embeddings of consecutive calls, on the CPU, until they are enough for one measure."""

    def __init__(self, settings: MonitorSettings) -> None:
        self._settings = settings
        self._pooled: list[Tensor] = []
        self._queries: list[tuple[Tensor, Tensor, Tensor]] = []

    @property
    def full(self) -> bool:
        return sum(map(len, self._pooled)) >= self._settings.min_embeddings

    @property
    def rank_limit(self) -> int:
        """The largest rank that the pooled embeddings could have."""
        return min(sum(map(len, self._pooled)), self._pooled[0].shape[1])

    def add(self, step: int, out: StepOutput) -> None:
        """Keep what one step shows; a step with values that are not finite empties the window."""
        pooled = all_gather_rows(pooled_contexts(out)[0].detach()).cpu()
        calls = -(-self._settings.min_embeddings // len(pooled))
        share = self._settings.max_queries // (calls * world_size())
        queries = tuple(all_gather_rows(part).cpu() for part in _draw(_query_rows(out), share, step))
        if not all(bool(torch.isfinite(part).all()) for part in (pooled, *queries)):
            self._pooled, self._queries = [], []
            return
        self._pooled.append(pooled)
        if len(queries) == 3:
            self._queries.append((queries[0], queries[1], queries[2]))

    def measure(self) -> dict[str, float]:
        """The numbers that `CollapseWatch.update` returns; those of queries only where there are enough of them."""
        pooled = torch.cat(self._pooled)
        numbers = {
            "context_std": _spread(pooled),
            "rank": rankme(pooled, centred=True),
            "rank_uncentred": rankme(pooled, centred=False),
            "cosine": mean_cosine(pooled),
        }
        if sum(len(part[0]) for part in self._queries) < self._settings.min_embeddings:
            return numbers
        targets, predictions, positions = (torch.cat(parts) for parts in zip(*self._queries, strict=True))
        numbers |= {"std": _spread(targets), "prediction_std": _spread(predictions)}
        of_content = {"content_std": content_std(targets, positions), "position_ratio": position_ratio(targets, predictions, positions)}
        return numbers | {name: value for name, value in of_content.items() if value is not None}


def _spread(z: Tensor) -> float:
    """Standard deviation as the root of the mean variance over dimensions. A median would be zero as soon as half of the dimensions
    are dead, which is a loss of rank and not yet a collapse."""
    return float(per_dim_std(z).square().mean().sqrt())


def _query_rows(out: StepOutput) -> tuple[Tensor, ...]:
    """Targets (m, Dt), predictions (m, Dt) and positions (m,) of the valid query tokens in the first query's stream; () without any."""
    if out.plan is None or not out.predictions:
        return ()
    stream = out.plan.queries[0].stream
    parts = []
    for number, query in enumerate(out.plan.queries):
        if query.stream == stream:
            rows = (out.targets[number].float(), out.predictions[number].float(), query.positions.idx)
            valid = out.valid[number] if out.valid else None
            parts.append(tuple(row.flatten(0, 1) if valid is None else row[valid] for row in rows))
    return tuple(torch.cat(column).detach() for column in zip(*parts, strict=True))


def _draw(columns: tuple[Tensor, ...], count: int, step: int) -> tuple[Tensor, ...]:
    """The same at most `count` random rows of every column, keyed by the step."""
    if not columns or len(columns[0]) <= count:
        return columns
    rng = np.random.Generator(np.random.Philox(key=step))
    rows = torch.from_numpy(rng.permutation(len(columns[0]))[:count]).to(columns[0].device)
    return tuple(column[rows] for column in columns)


def _shown(memory: _Memory) -> dict[str, str]:
    """The numbers that sentences quote."""
    values = {"rank": 0.0, "cosine": 0.0, "context_std": 0.0, "position_ratio": 0.0} | memory.latest
    values |= {f"first_{name}": memory.first.get(name, 0.0) for name in ("rank", "cosine", "context_std")}
    return {name: f"{value:.3g}" for name, value in values.items()}


_WARMING = "Too early to tell: {done} of {needed} measures of at least {embeddings} embeddings are done. Let it run."
_HEALTHY = "The embeddings use {rank} directions (at first {first_rank}) and tell samples apart."
_ROSE = " The loss fell and rose again, which is normal for averaged targets: they grow richer and harder to predict."
_SENTENCES: dict[str, str] = {
    "collapsed": (
        "The embeddings have collapsed: samples are no longer told apart (rank {rank}, at first {first_rank}; spread {context_std}, at "
        "first {first_context_std}; mean cosine {cosine}, at first {first_cosine}). A low loss means nothing now. Train again with a "
        "slower target (ema_momentum nearer 1), a lower learning rate, or a variance term in the loss."
    ),
    "positional": (
        "Only position is learned: the predictions are no better than each position's mean target (error ratio {position_ratio}), so "
        "the low loss says nothing about the data. Hide larger parts, remove the position mean from the targets, or train more, "
        "smaller steps; below about 600 steps this is common and may pass."
    ),
    "shrinking": (
        "The embeddings are losing directions: rank {rank}, at first {first_rank}. Loss that falls, then rises is normal for averaged "
        "targets; a sudden later drop of the loss together with this is not. Compare the checkpoint of best rank with the latest one, "
        "and add a variance term or a slower target if it goes on."
    ),
}
