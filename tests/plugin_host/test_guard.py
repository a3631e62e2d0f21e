"""Stand-ins pass on everything, look when they should, and blame nobody for what was broken already."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from torch import nn

from jepakit.contracts import Condition, Context, IndexSet, Layout, Masker, MaskPlan, Query, Reader, Sample, Tokens, ViewMaker
from jepakit.errors import ContractError
from jepakit.plugin_host.blame import WorkerError, attributed, owner, places
from jepakit.plugin_host.checks import not_finite, plan_problem, sample_problem
from jepakit.plugin_host.guard import CLOSE, EVERY, ForwardHook, GuardedMasker, GuardedReader, GuardedView, Watch, guard
from jepakit.plugin_host.status import PluginStatus

LAYOUT = Layout(np.zeros((6, 1), np.float32), np.array([True] * 5 + [False]), np.zeros(6, np.int16), ("t",))
PLUGIN = PluginStatus("zoo-owl", "1.0", "main", "ok", module="zoo_owl")
OWN = PluginStatus("jepakit", "0.1.0", "core", "ok", module="jepakit.builtin")


def indices(*numbers: int) -> IndexSet:
    return IndexSet(np.array(numbers, dtype=np.int64))


def plan(context: IndexSet, query: IndexSet, **more: object) -> MaskPlan:
    return MaskPlan((Context(context),), (Query(query),), **more)


@pytest.mark.parametrize(("stand_in", "role"), [(GuardedMasker, Masker), (GuardedView, ViewMaker), (GuardedReader, Reader)])
def test_stand_in_passes_on_every_part_of_its_role(stand_in: type, role: type) -> None:
    public = {name for name in vars(role) if not name.startswith("_") or name in ("__call__", "__len__")}
    passed = set(vars(stand_in)) | set(inspect.getsource(stand_in.__init__).replace("self.", " ").replace(",", " ").split())
    assert public - passed == set()


def test_looks_at_the_first_calls_and_now_and_again() -> None:
    watch = Watch("masker", "m", "zoo-owl 1.0")
    looked = [number for number in range(1, 3 * EVERY + 1) if watch.look()[0]]
    assert looked == [*range(1, CLOSE + 1), EVERY, 2 * EVERY, 3 * EVERY]


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (plan(indices(0, 1), indices(2, 4)), ""),
        (plan(indices(0, 1), indices()), "query 0 is empty"),
        (plan(indices(0, 1), indices(2, 6)), "position 6"),
        (plan(indices(-1, 1), indices(2)), "position -1"),
        (plan(indices(0, 1), indices(5)), "padding"),
        (plan(indices(1, 0), indices(2)), "not sorted"),
        (plan(indices(0, 0), indices(2)), "there twice"),
        (plan(indices(0, 1), indices(1, 2)), "answer leaks"),
        (plan(indices(0, 1), indices(1, 2), dense=True), ""),
        (plan(indices(0, 1, 2, 3, 4), indices(0, 1, 2, 3, 4)), ""),
        (plan(IndexSet(np.array([0.0])), indices(1)), "int64"),
        (MaskPlan((Context(indices(0)),), (Query(indices(1), context=1),)), "asks context 1"),
        (MaskPlan((Context(indices(0), stream="other"),)), "of stream 'other'"),
        (MaskPlan(()), "one context or more"),
        (None, "expected a MaskPlan"),
    ],
)
def test_plan_is_judged(made: MaskPlan, problem: str) -> None:
    found = plan_problem(made, {"main": LAYOUT})
    assert problem in found
    assert bool(found) == bool(problem)


@pytest.mark.parametrize(
    ("sample", "problem"),
    [
        (Sample({"main": np.zeros(3)}, "a"), ""),
        (Sample({"main": [0.0]}, "a"), "stream 'main' is a list"),
        (Sample({}, "a"), "one array or more"),
        (Sample({"main": np.zeros(3)}, 7), "the id is 7"),
        (Sample({"main": np.array([None])}, "a"), "array of numbers"),
        ("sample", "expected a Sample"),
    ],
)
def test_sample_is_judged(sample: Sample, problem: str) -> None:
    found = sample_problem(sample)
    assert problem in found
    assert bool(found) == bool(problem)


def test_numbers_in_padding_may_be_anything() -> None:
    tokens = Tokens(torch.full((1, 2, 3), torch.nan), torch.zeros(1, 2, 1), torch.zeros(1, 2, dtype=torch.bool), torch.zeros(1, 2))
    assert not not_finite(tokens)
    assert not_finite({"a": (torch.tensor([1.0, torch.inf]),)})
    assert not not_finite([torch.ones(2), None, 3, Condition(vec=torch.ones(1))])


def test_module_is_not_blamed_for_what_it_was_given() -> None:
    hook = ForwardHook(Watch("objective", "loss", "zoo-owl 1.0"))
    broken = torch.tensor(torch.nan)
    hook(nn.Identity(), (broken,), {}, broken)
    with pytest.raises(ContractError, match=r"'loss' of zoo-owl 1\.0 broke its contract: it returned values that are not finite"):
        hook(nn.Identity(), (torch.tensor(1.0),), {}, broken)
    hook.watch.calls = CLOSE
    hook(nn.Identity(), (torch.tensor(1.0),), {}, broken)  # later it is a matter of training


def test_components_of_jepakit_are_left_as_they_are() -> None:
    class Own(Masker):
        def __call__(self, layouts, request): ...

    masker = Own()
    assert guard(masker, OWN, "masker", "own") is masker
    assert isinstance(guard(masker, PLUGIN, "masker", "own"), GuardedMasker)


def test_module_belongs_to_the_plugin_with_the_longest_name_in_common() -> None:
    ours, theirs = (PluginStatus(name, "1", "main", "ok", module=f"acme.{name}.hooks") for name in ("owl", "cat"))
    assert owner("acme.cat.parts", (ours, theirs)) is theirs
    assert owner("numpy.random", (ours, theirs)) is None


def test_foreign_errors_and_interrupts_pass() -> None:
    for error in (KeyboardInterrupt(), ValueError("mine"), MemoryError()):
        with pytest.raises(type(error)) as caught, attributed((PLUGIN, OWN)):
            raise error
        assert caught.value is error


def test_places_travel_with_a_worker_error() -> None:
    try:
        raise ValueError("x")
    except ValueError as error:
        way = places(error)
    assert places(WorkerError("ValueError: x", way)) == way
    assert way[-1].line > 0
