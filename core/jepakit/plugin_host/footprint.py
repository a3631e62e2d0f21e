"""State that a process shares among all plugins: what an import changed of it, and putting it back.

torch and numpy are looked at only where they are loaded already; looking never loads them.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGALRM, signal.SIGUSR1, signal.SIGPIPE)
TOLERATED = frozenset(("sys.path", "the warning filters", "the environment", "draws from Python's random state"))
"""Libraries touch these for good reasons when they are imported; put back, they harm nobody."""
DRAWS = 2000
"""Numbers that an import may draw: rich, which scikit-learn brings along, takes one for each style. Anything further was seeded."""
CHOSEN_SEED = 2**32
"""A fresh torch draws a seed of 64 bits; one below this was chosen by somebody (but for one start in 2**32)."""
TORCH_NAMESPACES = ("torch", "torch.nn.functional", "torch.Tensor", "torch.nn.Module", "torch.nn.Linear", "torch.optim.Optimizer")


@dataclass(frozen=True)
class Trait:
    """One thing that all code of a process shares. value: comparable. restore: puts it back."""

    value: Any
    restore: Callable[[], object]


@dataclass(frozen=True, eq=False)
class Seeding:
    """A state of Python's generator, equal to another that is reached from it, or from which it is reached, by drawing numbers."""

    state: tuple[Any, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Seeding) and (_reached(self.state, other.state) or _reached(other.state, self.state))


def footprint() -> dict[str, Trait]:
    """What this process looks like now, by name in plain words."""
    found = dict(_of_python())
    if (numpy := sys.modules.get("numpy")) is not None and hasattr(numpy, "random"):
        name, keys, *rest = numpy.random.get_state()
        found["numpy's random state"] = Trait((name, keys.tobytes(), *rest), lambda: numpy.random.set_state((name, keys, *rest)))
    if (torch := sys.modules.get("torch")) is not None and hasattr(torch, "get_default_dtype"):
        found.update(_of_torch(torch))
    return found


def changes(before: Mapping[str, Trait], after: Mapping[str, Trait]) -> list[str]:
    """Names of what is not as before, torch's functions one by one; what could not be looked at both times is left out."""
    return [name for name, trait in before.items() if name in after and after[name].value != trait.value]


def put_back(before: Mapping[str, Trait], names: list[str]) -> None:
    """Undo the changes of `names` that were seen before."""
    for name in names:
        if name in before:
            before[name].restore()


def surprises_of_new_torch() -> list[str]:
    """What is odd about a torch that was loaded a moment ago: nothing of it could be looked at before."""
    torch = sys.modules["torch"]
    odd = [] if torch.get_default_dtype() is torch.float32 else ["torch's default dtype"]
    return odd + (["torch's random state"] if torch.initial_seed() < CHOSEN_SEED else [])


def calm_new_torch() -> None:
    """Dtype as when nobody touched it, and a seed drawn anew, as a fresh torch does."""
    torch = sys.modules["torch"]
    torch.set_default_dtype(torch.float32)
    torch.seed()


def foreign_functions() -> list[str]:
    """Functions of torch whose code lies outside torch and what it borrows from: somebody replaced them."""
    return [
        f"{place}.{name}"
        for place, functions in _torch_functions()
        for name, value in functions.items()
        if isinstance(value, FunctionType) and not _belongs_to_torch(value.__code__.co_filename)
    ]


def _belongs_to_torch(file: str) -> bool:
    """Code of torch, generated code, and decorators of the standard library and typing_extensions, which torch uses on its own."""
    homes = (
        str(Path(sys.modules["torch"].__file__ or "").parent),
        str(getattr(sys.modules.get("typing_extensions"), "__file__", "<")),
        "<",
    )
    return file.startswith(homes) or (file.startswith(str(Path(os.__file__).parent)) and "-packages" not in file)


def _of_python() -> Iterator[tuple[str, Trait]]:
    folder, path, filters = _folder(), list(sys.path), list(warnings.filters)
    environment, state, limit, start = (
        dict(os.environ),
        random.getstate(),
        sys.getrecursionlimit(),
        (sys.stdout, sys.stderr, sys.excepthook),
    )
    yield "the working folder", Trait(folder, lambda: os.chdir(folder))
    yield "draws from Python's random state", Trait(state, lambda: random.setstate(state))
    yield "Python's random state", Trait(Seeding(state), lambda: random.setstate(state))
    yield "the recursion limit", Trait(limit, lambda: sys.setrecursionlimit(limit))
    yield "sys.path", Trait(path, lambda: _refill(sys.path, path))
    yield "the warning filters", Trait(filters, lambda: _refill(warnings.filters, filters))
    yield "the environment", Trait(environment, lambda: _reset(environment))
    yield "stdout, stderr or the excepthook", Trait(tuple(map(id, start)), lambda: _set_streams(*start))
    for number in SIGNALS:
        handler = signal.getsignal(number)
        yield f"the handler of {number.name}", Trait(handler, lambda number=number, handler=handler: signal.signal(number, handler))  # type: ignore[misc]


def _reached(start: tuple[Any, ...], end: tuple[Any, ...]) -> bool:
    generator = random.Random()
    generator.setstate(start)
    for _ in range(DRAWS):
        if generator.getstate()[:2] == end[:2]:
            return True
        generator.getrandbits(32)
    return False


def _of_torch(torch: ModuleType) -> Iterator[tuple[str, Trait]]:
    dtype, threads, state = torch.get_default_dtype(), torch.get_num_threads(), torch.get_rng_state()
    yield "torch's default dtype", Trait(dtype, lambda: torch.set_default_dtype(dtype))
    yield "torch's thread count", Trait(threads, lambda: torch.set_num_threads(threads))
    yield "torch's random state", Trait(state.numpy().tobytes(), lambda: torch.set_rng_state(state))
    yield "torch's switch for gradients", Trait(torch.is_grad_enabled(), lambda: torch.set_grad_enabled(True))
    for place, functions in _torch_functions():
        for name, value in functions.items():
            if callable(value):
                yield f"{place}.{name}", Trait(id(value), lambda place=place, name=name, value=value: setattr(_at(place), name, value))  # type: ignore[misc]


def _torch_functions() -> Iterator[tuple[str, dict[str, Any]]]:
    for place in TORCH_NAMESPACES:
        yield place, dict(vars(_at(place)))


def _at(place: str) -> Any:
    module, _, name = place.rpartition(".")
    return sys.modules[place] if place in sys.modules else getattr(sys.modules[module], name)


def _folder() -> str:
    """The working folder, "" when it was removed under this process."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""


def _refill(kept: Any, values: list[Any]) -> None:
    kept[:] = values


def _reset(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _set_streams(stdout: Any, stderr: Any, hook: Any) -> None:
    sys.stdout, sys.stderr, sys.excepthook = stdout, stderr, hook
