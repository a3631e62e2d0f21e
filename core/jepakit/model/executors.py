"""How (context, query) pairs become rows that the predictor runs: four ways, one answer a query.

- `rows`: a row a query set, its context repeated. The semantics of the published I-JEPA and V-JEPA.
- `union`: a row a context with all its queries, which see each other's positions. Cheapest of the joint ones.
- `packed`: a row a context with all its queries, but a block mask keeps query sets apart. About half the tokens of `rows`.
- `cross`: for predictors whose queries ask the context only; a row a context.

With one query a context all four give the same numbers, but for `packed`, where context tokens see no mask token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from jepakit.contracts import Condition, Predictor
from jepakit.errors import ContractError

Executor = Literal["rows", "union", "packed", "cross"]


@dataclass(frozen=True)
class SeenSet:
    """Context features of a batch and where they lie: features (B, n, D), coords (B, n, K), valid (B, n) or None, channel (B, n)."""

    features: Tensor
    coords: Tensor
    valid: Tensor | None
    channel: Tensor


@dataclass(frozen=True)
class AskedSet:
    """Query positions of a batch: coords (B, nq, K), valid (B, nq) or None, channel (B, nq); asked of context number `context`."""

    coords: Tensor
    valid: Tensor | None
    channel: Tensor
    context: int
    kind: int


def predict(
    executor: Executor, predictor: Predictor, seen: Sequence[SeenSet], asked: Sequence[AskedSet], condition: Condition | None
) -> tuple[Tensor, ...]:
    """Predictions (B, nq, Dt), one a query set, in the order of `asked`."""
    if (executor == "cross") != (predictor.style == "cross"):
        raise ContractError(
            f"executor '{executor}' can't run a predictor of style '{predictor.style}'; "
            "executor 'cross' belongs to the cross predictor and to no other"
        )
    if executor == "rows":
        groups = [[number] for number in range(len(asked))]
    else:
        groups = [[number for number, query in enumerate(asked) if query.context == context] for context in range(len(seen))]
        groups = [group for group in groups if group]
    return _run(predictor, seen, asked, groups, condition, apart=executor == "packed")


def _run(
    predictor: Predictor,
    seen: Sequence[SeenSet],
    asked: Sequence[AskedSet],
    groups: list[list[int]],
    condition: Condition | None,
    *,
    apart: bool,
) -> tuple[Tensor, ...]:
    """One predictor call: group g of queries makes B rows; all groups lie behind each other on the row axis."""
    contexts = [seen[asked[group[0]].context] for group in groups]
    together = [_join([asked[number] for number in group]) for group in groups]
    kinds = [torch.cat([_filled(asked[number], asked[number].kind) for number in group], dim=1) for group in groups]
    many_kinds = any(query.kind for query in asked)
    parts = [torch.cat([_filled(asked[number], place) for place, number in enumerate(group)], dim=1) for group in groups]
    out = predictor(
        _rows([part.features for part in contexts]),
        _rows([part.coords for part in contexts]),
        _row_mask([part.features for part in contexts], [part.valid for part in contexts]),
        _rows([part.coords for part in together]),
        _row_mask([part.coords for part in together], [part.valid for part in together]),
        query_kind=_rows(kinds) if many_kinds else None,
        query_group=_rows(parts) if apart and any(len(group) > 1 for group in groups) else None,
        context_channel=_rows([part.channel for part in contexts]),
        query_channel=_rows([part.channel for part in together]),
        condition=_repeat(condition, len(groups)),
    )
    answers: dict[int, Tensor] = {}
    for group, rows in zip(groups, out.chunk(len(groups), dim=0)):
        start = 0
        for number in group:
            size = asked[number].coords.shape[1]
            answers[number] = rows[:, start : start + size]
            start += size
    return tuple(answers[number] for number in range(len(asked)))


def _join(queries: list[AskedSet]) -> AskedSet:
    if len(queries) == 1:
        return queries[0]
    ragged = any(query.valid is not None for query in queries)
    valid = [query.valid if query.valid is not None else torch.ones_like(query.channel, dtype=torch.bool) for query in queries]
    return AskedSet(
        coords=torch.cat([query.coords for query in queries], dim=1),
        valid=torch.cat(valid, dim=1) if ragged else None,
        channel=torch.cat([query.channel for query in queries], dim=1),
        context=queries[0].context,
        kind=queries[0].kind,
    )


def _filled(query: AskedSet, value: int) -> Tensor:
    return torch.full(query.coords.shape[:2], value, dtype=torch.int64, device=query.coords.device)


def _rows(parts: Sequence[Tensor]) -> Tensor:
    """Puts (B, n_g, ...) parts behind each other on the row axis, padded at the end to the longest."""
    longest = max(part.shape[1] for part in parts)
    return parts[0] if len(parts) == 1 else torch.cat([_padded(part, longest) for part in parts], dim=0)


def _padded(part: Tensor, size: int) -> Tensor:
    missing = size - part.shape[1]
    return F.pad(part, (*[0, 0] * (part.dim() - 2), 0, missing)) if missing else part


def _row_mask(parts: Sequence[Tensor], valid: Sequence[Tensor | None]) -> Tensor | None:
    if all(mask is None for mask in valid) and len({part.shape[1] for part in parts}) == 1:
        return None
    masks = [
        mask if mask is not None else torch.ones(part.shape[:2], dtype=torch.bool, device=part.device) for part, mask in zip(parts, valid)
    ]
    return _rows(masks)


def _repeat(condition: Condition | None, times: int) -> Condition | None:
    if condition is None or times == 1:
        return condition
    again: Callable[[Tensor | None], Tensor | None] = lambda part: None if part is None else part.repeat(times, *[1] * (part.dim() - 1))  # noqa: E731
    return Condition(vec=again(condition.vec), tokens=again(condition.tokens), per_query=again(condition.per_query))
