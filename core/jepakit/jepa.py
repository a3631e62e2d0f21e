"""The one step: raw streams → tokens → targets → context → predictions → terms of the loss.

The denominator of every published JEPA is: query positions in a target stream, predicted from the context tokens of a source
stream, under a condition. This module says just that, and knows neither data nor method.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from jepakit.contracts import Batch, Features, MaskPlan, Objective, Predictor, StepOutput, TargetProvider, Tokens
from jepakit.errors import ContractError
from jepakit.model.backbone import Backbone
from jepakit.model.executors import AskedSet, Executor, SeenSet, predict
from jepakit.model.gather import take, take_valid


@dataclass(frozen=True)
class Term:
    """One weighted term of the loss."""

    name: str
    objective: Objective
    weight: float


class Jepa(nn.Module):
    """Context backbone, target provider, predictor and objectives."""

    def __init__(
        self, backbone: Backbone, target: TargetProvider | None, *, predictor: Predictor | None, terms: Sequence[Term], executor: Executor
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.target = target
        self.predictor = predictor
        self.objectives = nn.ModuleList(term.objective for term in terms)
        self.terms = tuple((term.name, term.weight) for term in terms)
        self.executor = executor

    def forward(self, batch: Batch, plan: MaskPlan, step: int) -> tuple[Tensor, dict[str, Tensor], StepOutput]:
        """One forward pass.

        Args:
            batch: raw streams on the device of the weights. plan: of the whole batch. step: keys what terms draw at random.

        Returns:
            the loss, a float32 scalar; its terms by name, unweighted; and all intermediate results.
        """
        tokens = self.backbone.tokens({name: batch.streams[name] for name in needed_streams(plan)})
        targets = self._targets(batch, tokens, plan)
        contexts = self._contexts(tokens, plan, batch)
        predictions = self._predictions(contexts, tokens, plan, batch)
        out = self._collect(predictions, targets, contexts, tokens, plan, batch)
        terms = {name: objective(out, step) for (name, _), objective in zip(self.terms, self.objectives)}
        loss = torch.stack([weight * terms[name] for name, weight in self.terms]).sum()
        return loss, terms, out

    def _targets(self, batch: Batch, tokens: Mapping[str, Tokens], plan: MaskPlan) -> dict[str, Tensor]:
        """One pass a target stream, for all queries."""
        names = sorted({query.stream for query in plan.queries})
        if not names or self.target is None:
            return {}
        found: dict[str, Tensor] = self.target(batch.streams, tokens, self.backbone, names)
        return found

    def _contexts(self, tokens: Mapping[str, Tokens], plan: MaskPlan, batch: Batch) -> list[Features]:
        """One encoder pass a context: visible tokens only."""
        return [self.backbone.encode(tokens[part.stream], part.positions, condition=batch.condition) for part in plan.contexts]

    def _predictions(self, contexts: list[Features], tokens: Mapping[str, Tokens], plan: MaskPlan, batch: Batch) -> tuple[Tensor, ...]:
        if not plan.queries:
            return ()
        if self.predictor is None:
            raise ContractError("the plan has queries but the recipe has no predictor; name one, or use a masker without queries")
        seen = [
            SeenSet(
                features=features.last,
                coords=take(tokens[part.stream].coords, part.positions),
                valid=features.valid,
                channel=take(tokens[part.stream].channel, part.positions),
            )
            for features, part in zip(contexts, plan.contexts)
        ]
        asked = [
            AskedSet(
                coords=take(tokens[query.stream].coords, query.positions),
                valid=query.positions.valid,
                channel=take(tokens[query.stream].channel, query.positions),
                context=query.context,
                kind=query.kind,
            )
            for query in plan.queries
        ]
        return predict(self.executor, self.predictor, seen, asked, batch.condition)

    def _collect(
        self,
        predictions: tuple[Tensor, ...],
        targets: Mapping[str, Tensor],
        contexts: list[Features],
        tokens: Mapping[str, Tokens],
        plan: MaskPlan,
        batch: Batch,
    ) -> StepOutput:
        valid = {name: None if bool(part.valid.all()) else part.valid for name, part in tokens.items()}
        return StepOutput(
            predictions=predictions,
            targets=tuple(take(targets[query.stream], query.positions) for query in plan.queries),
            valid=tuple(take_valid(valid[query.stream], query.positions) for query in plan.queries),
            weights=tuple(query.positions.weight for query in plan.queries),
            contexts=tuple(contexts),
            batch=batch,
            plan=plan,
            target_streams=targets,
        )

    def settle(self) -> None:
        """Lets the target take over buffers that were fitted after it was made. Called once, before the first step."""
        if self.target is not None:
            self.target.settle(self.backbone)

    def after_step(self, step: int, total: int) -> dict[str, float]:
        """Moves the target after optimiser step number `step` (1-based); returns what to log."""
        return {} if self.target is None else self.target.after_step(self.backbone, step, total)


def needed_streams(plan: MaskPlan) -> list[str]:
    """The streams that a plan reads, contexts first, each once."""
    return list(dict.fromkeys([part.stream for part in plan.contexts] + [query.stream for query in plan.queries]))
