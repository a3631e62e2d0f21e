"""Holding the components of plugins to their contracts while a run goes on, at next to no cost.

Every component that does not belong to jepakit is looked at closely on its first calls (shapes, dtypes, ranges, finite numbers) and
then now and again (shapes and dtypes only, which needs no look at the data). A value that is not finite is the component's doing only if
what it was given was finite; later in a run it is a matter of training, and the loop's own guard says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from torch import nn

from jepakit.contracts import Layout, Masker, MaskPlan, MaskRequest, Reader, Sample, ViewMaker
from jepakit.errors import ContractError, PluginError
from jepakit.plugin_host.blame import ROLE_CLASSES, component_name, owner, role_of
from jepakit.plugin_host.checks import CHECKS, not_finite, plan_problem, sample_problem
from jepakit.plugin_host.status import PluginStatus

CLOSE, EVERY = 20, 100
"""Calls of a component that are looked at closely, and how often it is looked at afterwards."""


@dataclass
class Watch:
    """Says who is watched and when to look. Counts its own calls; of a copied component the copy counts its own."""

    role: str
    name: str
    plugin: str
    calls: int = field(default=0, compare=False)

    def look(self) -> tuple[bool, bool]:
        """Whether to look at this call, and whether closely."""
        self.calls += 1
        close = self.calls <= CLOSE
        return close or self.calls % EVERY == 0, close

    def error(self, problem: str, sample: str = "") -> ContractError:
        """What to raise for a broken contract."""
        where = f" on sample {sample}" if sample else ""
        return ContractError(f"{self.role} '{self.name}' of {self.plugin} broke its contract{where}: {problem}; tell its authors")


@dataclass
class ForwardHook:
    """Looks at what a module returns. torch calls it after `forward`, in every copy of the module as well."""

    watch: Watch

    def __call__(self, module: nn.Module, args: tuple[Any, ...], options: dict[str, Any], result: Any) -> None:
        """ContractError when it is not what the role returns."""
        look, close = self.watch.look()
        if not look:
            return
        if problem := CHECKS[self.watch.role](module, args, options, result):
            raise self.watch.error(problem)
        if close and not_finite(result) and not any(not_finite(value) for value in (*args, *options.values())):
            raise self.watch.error("it returned values that are not finite for an input that is")


def guard(component: Any, status: PluginStatus, role: str, name: str) -> Any:
    """The component, or a stand-in that plays the same role, held to its contract; jepakit's own are returned as they are.

    Raises:
        PluginError: the factory made something that does not play the role at all.
    """
    expected = dict(ROLE_CLASSES)[role]
    if not isinstance(component, expected):
        plugin = f"{status.distribution} {status.version}"
        raise PluginError(f"{role} '{name}' of {plugin} makes a {type(component).__name__}; expected a jepakit.sdk.{expected.__name__}")
    if status.built_in:
        return component
    watch = Watch(role, name, f"{status.distribution} {status.version}")
    if isinstance(component, Masker):
        return GuardedMasker(component, watch)
    if isinstance(component, ViewMaker):
        return GuardedView(component, watch)
    if isinstance(component, nn.Module):
        component.register_forward_hook(ForwardHook(watch), with_kwargs=True)
    return component


def guard_reader(reader: Reader, plugins: tuple[PluginStatus, ...]) -> Reader:
    """The reader, held to its contract if its class belongs to a plugin that is not jepakit's own."""
    inner: Any = reader
    while isinstance(getattr(inner, "inner", None), Reader):
        inner = inner.inner
    status = owner(type(inner).__module__, plugins)
    if status is None or status.built_in or role_of(inner) != "reader":
        return reader
    return GuardedReader(
        reader, Watch("reader", component_name(status, "reader", type(inner).__name__), f"{status.distribution} {status.version}")
    )


@final
class GuardedMasker(Masker):
    """A masker whose plans are looked at."""

    def __init__(self, inner: Masker, watch: Watch) -> None:
        self.inner, self.watch, self.phase = inner, watch, inner.phase

    def __call__(self, layouts: Mapping[str, Layout], request: MaskRequest) -> MaskPlan:
        plan = self.inner(layouts, request)
        if self.watch.look()[0] and (problem := plan_problem(plan, layouts)):
            raise self.watch.error(problem)
        return plan


@final
class GuardedView(ViewMaker):
    """A view whose samples are looked at."""

    def __init__(self, inner: ViewMaker, watch: Watch) -> None:
        self.inner, self.watch = inner, watch
        self.carries_asides = inner.carries_asides  # type: ignore[misc]

    def __call__(self, sample: Sample, rng: np.random.Generator, progress: float) -> Sample:
        seen = self.inner(sample, rng, progress)
        if self.watch.look()[0]:
            problem = sample_problem(seen)
            if not problem and seen.id != sample.id:
                problem = f"it renamed the sample to '{seen.id}'; masks are keyed by the id, so it must stay"
            if problem:
                raise self.watch.error(problem, sample.id)
        return seen


@final
class GuardedReader(Reader):
    """A reader whose samples are looked at. A value that is not finite is the data's business, and the loop's."""

    def __init__(self, inner: Reader, watch: Watch) -> None:
        self.inner, self.watch = inner, watch

    def __len__(self) -> int:
        return len(self.inner)

    def read(self, index: int) -> Sample:
        sample = self.inner.read(index)
        if self.watch.look()[0] and (problem := sample_problem(sample)):
            raise self.watch.error(problem, f"number {index}")
        return sample

    def spec(self) -> Mapping[str, Any]:
        return self.inner.spec()

    def fingerprint(self) -> str:
        return self.inner.fingerprint()
