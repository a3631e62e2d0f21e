"""Samples → one batch: streams stacked or padded, layouts batched, plans brought to one length.

Ragged index sets have three ways out. `pad` is exact. `truncate_tail` cuts every list to the shortest of the batch from the tail, which
is what the released code of the masked systems does and which biases contexts towards the first positions. `truncate_random` costs
the same without the bias. `truncate_mean` cuts longer lists at random to the mean length of the batch and pads shorter ones: most of the
cost of padding is saved and few tokens are lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from jepakit.contracts import (
    ASIDE,
    Batch,
    Condition,
    Context,
    IndexSet,
    Layout,
    Masker,
    MaskPlan,
    MaskRequest,
    Raw,
    Sample,
    Tokenizer,
    ViewMaker,
)
from jepakit.errors import ContractError, DataError

CollateMode = Literal["pad", "truncate_tail", "truncate_random", "truncate_mean"]


@dataclass(frozen=True)
class Prepared:
    """One sample ready to be collated: seen through its view, with its layouts and (in the collate phase) its plan."""

    sample: Sample
    layouts: Mapping[str, Layout | None]
    plan: MaskPlan | None = None


def prepare(
    sample: Sample,
    *,
    view: ViewMaker | None,
    tokenizers: Mapping[str, Tokenizer],
    masker: Masker | None,
    view_rng: np.random.Generator,
    mask_rng: np.random.Generator,
    shared_rng: np.random.Generator,
    progress: float,
) -> Prepared:
    """Everything that is done to one sample on the CPU. `shared_rng` must stand at the same place for all samples of a batch."""
    seen = sample if view is None else view(sample, view_rng, progress)
    names = [name for name in seen.streams if not name.startswith(ASIDE)]
    layouts = {name: tokenizer_of(tokenizers, name).layout(seen, name) for name in names}
    if masker is None or masker.phase != "collate":
        return Prepared(seen, layouts)
    known = {name: layout for name, layout in layouts.items() if layout is not None}
    if len(known) < len(layouts):
        raise ContractError(
            "the tokenizer knows positions only after it ran, but the masker works in the data worker; choose a masker with phase 'device'"
        )
    try:
        return Prepared(seen, layouts, masker(known, MaskRequest(rng=mask_rng, shared=shared_rng, progress=progress)))
    except ContractError as error:
        raise ContractError(f"sample {sample.id}: {error}") from error


def tokenizer_of(tokenizers: Mapping[str, Tokenizer], stream: str) -> Tokenizer:
    """The tokenizer of a stream; one without its own shares that of "main"."""
    return tokenizers[stream if stream in tokenizers else "main"]


def collate(prepared: Sequence[Prepared], mode: CollateMode, rng: np.random.Generator) -> Batch:
    """One batch of prepared samples; `rng` says which tokens `truncate_random` and `truncate_mean` keep."""
    names = list(prepared[0].sample.streams)
    for part in prepared:
        if list(part.sample.streams) != names:
            raise DataError(
                f"sample {part.sample.id} has streams {list(part.sample.streams)}, others have {names}; one batch needs the same ones"
            )
    plans = [part.plan for part in prepared if part.plan is not None]
    return Batch(
        streams={
            name: stack_stream([part.sample for part in prepared], [part.layouts.get(name) for part in prepared], name) for name in names
        },
        ids=tuple(part.sample.id for part in prepared),
        plan=batch_plans(plans, mode, rng) if plans else None,
        condition=conditions([part.sample for part in prepared]),
        labels=labels([part.sample for part in prepared]),
        groups=tuple(part.sample.group for part in prepared),
        layouts=tuple(part.layouts for part in prepared),
    )


def stack_stream(samples: Sequence[Sample], layouts: Sequence[Layout | None], name: str) -> Raw:
    """The arrays of one stream as one tensor of the stored dtype, with the batched layout."""
    values, extent = stack_arrays([sample.streams[name] for sample in samples], [sample.id for sample in samples])
    known = [layout for layout in layouts if layout is not None]
    if len(known) < len(layouts):
        return Raw(values, extent)
    first = known[0]
    if all(alike(layout, first) for layout in known):
        grid = first.grid if first.valid.all() else None
        return Raw(values, extent, *same_layout(first, len(known)), grid=grid, order=repeated(first.order, len(known)))
    longest = max(len(layout) for layout in known)
    orders = [layout.order for layout in known if layout.order is not None]
    return Raw(
        values,
        extent,
        coords=padded([layout.coords for layout in known], longest),
        valid=padded([layout.valid for layout in known], longest),
        channel=padded([layout.channel for layout in known], longest),
        grid=first.grid if all(layout.grid == first.grid and layout.valid.all() for layout in known) else None,
        order=padded(orders, longest) if len(orders) == len(known) else None,
    )


def stack_arrays(arrays: Sequence[np.ndarray], ids: Sequence[str]) -> tuple[Tensor, Tensor | None]:
    """(B, ...) and, when sizes differ, the true sizes (B, axes) int64; smaller arrays are zero-padded at the end of each axis."""
    first = arrays[0]
    for array, name in zip(arrays, ids):
        if array.ndim != first.ndim or array.dtype != first.dtype:
            raise DataError(
                f"sample {name} is a {array.ndim}-D {array.dtype} array, sample {ids[0]} a {first.ndim}-D {first.dtype} one; "
                "a batch needs one kind: convert the data set first"
            )
    if all(array.shape == first.shape for array in arrays):
        return torch.from_numpy(np.stack(arrays)), None
    extent = np.array([array.shape for array in arrays], dtype=np.int64)
    out = np.zeros((len(arrays), *extent.max(axis=0)), dtype=first.dtype)
    for row, array in enumerate(arrays):
        target = out[row]
        target[tuple(slice(size) for size in array.shape)] = array
    return torch.from_numpy(out), torch.from_numpy(extent)


def alike(ours: Layout, theirs: Layout) -> bool:
    """Whether two layouts are one and the same, or say the same."""
    if ours is theirs:
        return True
    if ours.grid != theirs.grid or (ours.order is None) != (theirs.order is None):
        return False
    pairs = [(ours.coords, theirs.coords), (ours.valid, theirs.valid), (ours.channel, theirs.channel)]
    if ours.order is not None and theirs.order is not None:
        pairs.append((ours.order, theirs.order))
    return all(np.array_equal(a, b) for a, b in pairs)


def same_layout(layout: Layout, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """coords, valid, channel of one layout for all samples: expanded, so that later code can see that they are the same."""
    coords = torch.from_numpy(layout.coords)[None].expand(count, -1, -1)
    return coords, torch.from_numpy(layout.valid)[None].expand(count, -1), torch.from_numpy(layout.channel)[None].expand(count, -1)


def repeated(order: np.ndarray | None, count: int) -> Tensor | None:
    """One locality order for all samples."""
    return None if order is None else torch.from_numpy(order)[None].expand(count, -1)


def padded(parts: Sequence[np.ndarray], size: int) -> Tensor:
    """(B, size, ...) with zeros (False) behind the end of each part."""
    out = np.zeros((len(parts), size, *parts[0].shape[1:]), dtype=parts[0].dtype)
    for row, part in enumerate(parts):
        out[row, : len(part)] = part
    return torch.from_numpy(out)


def batch_plans(plans: Sequence[MaskPlan], mode: CollateMode, rng: np.random.Generator) -> MaskPlan:
    """Plans of single samples → the plan of the batch, every index set (B, n). A query that a sample lacks is all padding there."""
    contexts = max(len(plan.contexts) for plan in plans)
    if any(len(plan.contexts) != contexts for plan in plans):
        raise ContractError("the masker gave samples of one batch different numbers of contexts; it must give each the same")
    most = max(plans, key=lambda plan: len(plan.queries))
    for plan in plans:
        check_same_roles(plan, most)
    cut = Cutter(mode, rng)
    batched = tuple(
        Context(cut([plan.contexts[number].positions for plan in plans]), plans[0].contexts[number].stream) for number in range(contexts)
    )
    truncated = cut.share
    nothing = IndexSet(np.zeros(0, dtype=np.int64))
    queries = tuple(
        replace(query, positions=cut([plan.queries[number].positions if number < len(plan.queries) else nothing for plan in plans]))
        for number, query in enumerate(most.queries)
    )
    names = {name for plan in plans for name in plan.info}
    info = {name: float(np.mean([plan.info[name] for plan in plans if name in plan.info])) for name in sorted(names)}
    return MaskPlan(batched, queries, dense=all(plan.dense for plan in plans), info=info | {"truncated": truncated})


def check_same_roles(plan: MaskPlan, most: MaskPlan) -> None:
    """ContractError when context or query number k of one sample is of another stream, kind or stage than that of another sample."""
    if any(ours.stream != theirs.stream for ours, theirs in zip(plan.contexts, most.contexts)):
        raise ContractError("the masker took one context from different streams for samples of one batch; it must keep to one")
    for number, (ours, theirs) in enumerate(zip(plan.queries, most.queries)):
        if (ours.context, ours.stream, ours.kind, ours.stage) != (theirs.context, theirs.stream, theirs.kind, theirs.stage):
            raise ContractError(
                f"the masker gave query number {number} a different context, stream, kind or stage in samples of one batch; "
                "a batch keeps them once a query, so they must be the same"
            )


class Cutter:
    """Brings the index sets of a batch to one length and counts what that cost."""

    def __init__(self, mode: CollateMode, rng: np.random.Generator) -> None:
        self._mode, self._rng = mode, rng
        self._kept = self._seen = 0

    @property
    def share(self) -> float:
        """Share of all entries so far that were cut off."""
        return 1.0 - self._kept / self._seen if self._seen else 0.0

    def __call__(self, sets: Sequence[IndexSet]) -> IndexSet:
        sizes = [len(part.idx) for part in sets]
        limit = self._limit(sizes)
        if limit:
            sets = [part if size <= limit else self._cut(part, limit) for part, size in zip(sets, sizes)]
        self._seen += sum(sizes)
        self._kept += sum(len(part.idx) for part in sets)
        return stacked(sets)

    def _limit(self, sizes: Sequence[int]) -> int:
        """The longest list that is let through; 0 for any length."""
        if self._mode == "pad":
            return 0
        return round(sum(sizes) / len(sizes)) if self._mode == "truncate_mean" else min(sizes)

    def _cut(self, part: IndexSet, size: int) -> IndexSet:
        if self._mode == "truncate_tail":
            keep: np.ndarray | slice = slice(size)
        else:
            keep = np.sort(self._rng.permutation(len(part.idx))[:size])
        return IndexSet(part.idx[keep], weight=None if part.weight is None else part.weight[keep])


def stacked(sets: Sequence[IndexSet]) -> IndexSet:
    """(B, n) int64 with `valid` where lengths differ; padded entries are index 0."""
    longest = max(max(len(part.idx) for part in sets), 1)
    equal = all(len(part.idx) == longest for part in sets)
    idx = torch.from_numpy(np.stack([part.idx for part in sets])) if equal else padded([part.idx for part in sets], longest)
    weight = None
    if any(part.weight is not None for part in sets):
        weight = padded([np.ones(len(part.idx), np.float32) if part.weight is None else part.weight for part in sets], longest)
    if equal:
        return IndexSet(idx, weight=weight, dense=True)
    valid = torch.from_numpy(np.arange(longest) < np.array([[len(part.idx)] for part in sets]))
    return IndexSet(idx, valid, weight)


def labels(samples: Sequence[Sample]) -> np.ndarray | None:
    """(B,) int64 or float64, or (B, ...) for array labels; None when any sample has none.

    Rows of whole numbers that differ in length (a class for every token) are padded with -1, unknown. None for rasters of different
    sizes too (a class for every pixel), which mean nothing before they are brought to tokens.
    """
    if any(sample.label is None for sample in samples):
        return None
    rows = [np.asarray(sample.label) for sample in samples]
    if all(row.ndim == 1 and row.dtype.kind in "iu" for row in rows) and len({len(row) for row in rows}) > 1:
        longest = max(map(len, rows))
        return np.stack([np.pad(row.astype(np.int64), (0, longest - len(row)), constant_values=-1) for row in rows])
    if all(row.ndim > 1 for row in rows) and len({row.shape for row in rows}) > 1:
        return None
    shapes = {np.shape(sample.label): sample.id for sample in samples}
    if len(shapes) > 1:
        (ours, first), (theirs, second) = list(shapes.items())[:2]
        raise DataError(f"the label of sample {first} has shape {ours}, that of {second} {theirs}; labels of one batch need one shape")
    return np.asarray([sample.label for sample in samples])


def conditions(samples: Sequence[Sample]) -> Condition | None:
    """The vectors that view makers left in meta["condition"], (B, C) float32; None when any sample has none."""
    found = [sample.meta.get("condition") for sample in samples]
    if any(part is None for part in found):
        return None
    rows = [np.asarray(part, dtype=np.float32) for part in found]
    if any(row.ndim != 1 or row.shape != rows[0].shape for row in rows):
        shapes = sorted({str(row.shape) for row in rows})
        raise ContractError(f"the view left conditions of shape {', '.join(shapes)}; it must leave 1-D arrays of one length")
    return Condition(vec=torch.from_numpy(np.stack(rows)))
