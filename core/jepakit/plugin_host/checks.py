"""What a component of each role must return: a function a role that gives the problem in words, "" when there is none.

Shapes and dtypes are read without looking at the data, so on an accelerator nothing waits. Letters as in `jepakit.contracts.carriers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from jepakit.contracts import Features, IndexSet, Layout, MaskPlan, Raw, Sample, Tokens

FLOATS = (torch.float32, torch.bfloat16, torch.float16)
Check = Callable[[nn.Module, tuple[Any, ...], Mapping[str, Any], Any], str]


def tensor_problem(what: str, value: Any, shape: tuple[int | None, ...], dtypes: tuple[torch.dtype, ...]) -> str:
    """None in `shape` stands for any size."""
    wanted = f"({', '.join('any' if size is None else str(size) for size in shape)})"
    if not isinstance(value, Tensor):
        return f"{what} is a {type(value).__name__}, expected a tensor {wanted}"
    if value.ndim != len(shape) or any(size not in (None, found) for size, found in zip(shape, value.shape)):
        return f"{what} has shape {tuple(value.shape)}, expected {wanted}"
    if value.dtype not in dtypes:
        return f"{what} is {_name(value.dtype)}, expected {' or '.join(map(_name, dtypes))}"
    return ""


def tokens_problem(module: nn.Module, args: tuple[Any, ...], options: Mapping[str, Any], tokens: Any) -> str:
    """A tokenizer: `Tokens` as wide as it says, one a position of the layout it gave."""
    raw = args[0] if args else options.get("raw")
    if not isinstance(tokens, Tokens):
        return f"it returned a {type(tokens).__name__}, expected Tokens"
    if not isinstance(raw, Raw) or not isinstance(tokens.x, Tensor) or tokens.x.ndim != 3:
        return tensor_problem("tokens.x", tokens.x, (None, None, None), FLOATS)
    planned = None if raw.coords is None else raw.coords.shape[1]
    if planned not in (None, tokens.x.shape[1]):
        return f"it returned {tokens.x.shape[1]} tokens a sample, its layout has {planned} positions; both must agree"
    batch, count = len(raw.values), tokens.x.shape[1]
    return (
        tensor_problem("tokens.x", tokens.x, (batch, count, int(module.width)), FLOATS)  # type: ignore[arg-type]
        or tensor_problem("tokens.coords", tokens.coords, (batch, count, len(module.axes)), (torch.float32,))  # type: ignore[arg-type]
        or tensor_problem("tokens.valid", tokens.valid, (batch, count), (torch.bool,))
        or tensor_problem("tokens.channel", tokens.channel, (batch, count), (torch.int16, torch.int32, torch.int64))
    )


def features_problem(module: nn.Module, args: tuple[Any, ...], options: Mapping[str, Any], features: Any) -> str:
    """An encoder: `Features` of every token it was given, as wide as it says, and the levels that were asked for."""
    if not isinstance(features, Features):
        return f"it returned a {type(features).__name__}, expected Features"
    shape = (*(args[0] if args else options["x"]).shape[:2], int(module.width))  # type: ignore[arg-type]
    if (asked := len(options.get("levels", ()))) != len(features.levels):
        return f"it returned {len(features.levels)} levels, {asked} were asked for"
    named = [("features.last", features.last), *((f"features.levels[{number}]", level) for number, level in enumerate(features.levels))]
    return next((problem for what, value in named if (problem := tensor_problem(what, value, shape, FLOATS))), "")


def prediction_problem(module: nn.Module, args: tuple[Any, ...], options: Mapping[str, Any], predicted: Any) -> str:
    """A predictor: one embedding a query position."""
    coords = args[3] if len(args) > 3 else options["query_coords"]
    return tensor_problem("its prediction", predicted, (*coords.shape[:2], None), FLOATS)


def transformed_problem(module: nn.Module, args: tuple[Any, ...], options: Mapping[str, Any], found: Any) -> str:
    """A target transform: one row a token."""
    features = args[0] if args else options["features"]
    return tensor_problem("what it made of the features", found, (*features.last.shape[:2], None), (torch.float32,))


def targets_problem(module: nn.Module, args: tuple[Any, ...], options: Mapping[str, Any], targets: Any) -> str:
    """A target provider: every stream that was asked for, one target a token."""
    tokens, names = (args[number] if len(args) > number else options[name] for number, name in ((1, "tokens"), (3, "names")))
    if not isinstance(targets, Mapping) or set(names) - set(targets):
        return f"expected a mapping with targets of the streams {', '.join(names)}, it returned {_brief(targets)}"
    shapes = ((name, (*tokens[name].x.shape[:2], int(module.width))) for name in names if name in tokens)  # type: ignore[arg-type]
    return next((problem for name, shape in shapes if (problem := tensor_problem(f"target '{name}'", targets[name], shape, FLOATS))), "")


def loss_problem(module: nn.Module, args: tuple[Any, ...], options: Mapping[str, Any], loss: Any) -> str:
    """An objective: one number."""
    return tensor_problem("its loss", loss, (), (torch.float32,))


CHECKS: Mapping[str, Check] = {
    "tokenizer": tokens_problem,
    "encoder": features_problem,
    "predictor": prediction_problem,
    "transform": transformed_problem,
    "target": targets_problem,
    "objective": loss_problem,
}


def sample_problem(sample: Any) -> str:
    """A reader or a view: a `Sample` with a name and arrays."""
    if not isinstance(sample, Sample):
        return f"it returned a {type(sample).__name__}, expected a Sample"
    if not isinstance(sample.id, str) or not sample.id:
        return f"the id is {sample.id!r}, expected text"
    if not isinstance(sample.streams, Mapping) or not sample.streams:
        return f"streams is {_brief(sample.streams)}, expected a mapping with one array or more"
    wrong = next(
        ((name, value) for name, value in sample.streams.items() if not isinstance(value, np.ndarray) or value.dtype.hasobject), None
    )
    return "" if wrong is None else f"stream '{wrong[0]}' is {_brief(wrong[1])}, expected an array of numbers"


def plan_problem(plan: Any, layouts: Mapping[str, Layout]) -> str:
    """A masker: sorted positions of valid tokens, none empty, no answer shown to who is asked (unless the plan says `dense`)."""
    if not isinstance(plan, MaskPlan) or not plan.contexts:
        return f"it returned {_brief(plan)}, expected a MaskPlan with one context or more"
    sets = [*((f"context {number}", part) for number, part in enumerate(plan.contexts))]
    sets += [(f"query {number}", part) for number, part in enumerate(plan.queries)]  # type: ignore[misc]
    for what, part in sets:
        if part.stream not in layouts:
            return f"{what} is of stream '{part.stream}', the sample has {', '.join(layouts)}"
        if problem := _positions_problem(what, part.positions, layouts[part.stream].valid):
            return problem
    for number, query in enumerate(plan.queries):
        if not 0 <= query.context < len(plan.contexts):
            return f"query {number} asks context {query.context}, there are {len(plan.contexts)}"
        if problem := _leak(number, plan, layouts):
            return problem
    return ""


def _positions_problem(what: str, positions: Any, valid: np.ndarray) -> str:
    idx = positions.idx if isinstance(positions, IndexSet) else None
    if not isinstance(idx, np.ndarray) or idx.dtype != np.int64 or idx.ndim != 1:
        return f"the positions of {what} are {_brief(idx)}, expected a 1-D int64 array"
    if not len(idx):
        return f"{what} is empty"
    if idx.min() < 0 or idx.max() >= len(valid):
        return f"{what} has position {idx.min() if idx.min() < 0 else idx.max()}, the sample has tokens 0 to {len(valid) - 1}"
    if (np.diff(idx) <= 0).any():
        return f"the positions of {what} are not sorted, or one is there twice"
    return "" if valid[idx].all() else f"{what} has position {idx[~valid[idx]][0]}, which is padding"


def _leak(number: int, plan: MaskPlan, layouts: Mapping[str, Layout]) -> str:
    query = plan.queries[number]
    context = plan.contexts[query.context]
    if plan.dense or query.stream != context.stream or len(context.positions.idx) == layouts[context.stream].valid.sum():
        return ""
    shared = np.intersect1d(query.positions.idx, context.positions.idx)
    return f"query {number} asks for {len(shared)} tokens that its context shows, so the answer leaks" if len(shared) else ""


def not_finite(value: Any) -> bool:
    """Whether any valid number in a tensor or carrier is NaN or infinite. Waits for an accelerator."""
    if isinstance(value, Tensor):
        return value.is_floating_point() and not bool(value.isfinite().all())
    if isinstance(value, Tokens):
        return not_finite(value.x[value.valid])
    if isinstance(value, Features) and value.valid is not None:
        return not_finite(value.last[value.valid])
    if isinstance(value, Mapping):
        return any(map(not_finite, value.values()))
    if isinstance(value, tuple | list):
        return any(map(not_finite, value))
    return is_dataclass(value) and any(not_finite(getattr(value, part.name)) for part in fields(value))


def _brief(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"a {value.ndim}-D {value.dtype} array"
    return f"a {type(value).__name__}" if value is not None else "nothing"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
