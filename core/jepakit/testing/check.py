"""What a check is, how one is run, and what becomes of it: one line a check, for people, pytest and JSON alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from jepakit.errors import JepakitError, UsageError, unknown_name
from jepakit.testing.offline import no_network

State = Literal["passed", "failed", "skipped", "expected", "surprise"]
GOOD = ("passed", "skipped", "expected")


class Failed(AssertionError):
    """What a check found: one sentence, with what to do in it."""


class Skipped(Exception):
    """The check does not apply here; the sentence says why."""


@dataclass(frozen=True)
class Check:
    """One promise of the contract. name: subject and promise, "masker.disjoint". run: raises `Failed` or `Skipped`, or returns.

    remedy: what to do when it fails. slow: seconds rather than milliseconds, left out by `--fast`.
    """

    name: str
    run: Callable[[], None]
    remedy: str = ""
    slow: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one check. state: "expected" failed as documented, "surprise" passed though documented to fail."""

    name: str
    state: State
    sentence: str = ""
    remedy: str = ""
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether the plugin may go on its way."""
        return self.state in GOOD

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"seconds": round(self.seconds, 3)}


def expect(right: bool, sentence: str) -> None:
    """`Failed` with the sentence unless `right`."""
    if not right:
        raise Failed(sentence)


def run_check(check: Check, expected: Mapping[str, str] | None = None) -> Outcome:
    """Run one check, without a network. Whatever the component raises is a failure: foreign code that was given what its contract says."""
    start, reason = time.perf_counter(), (expected or {}).get(check.name)
    state: State = "passed"
    sentence = ""
    try:
        with no_network() as reached:
            check.run()
        expect(not reached, f"it asks the network for {', '.join(dict.fromkeys(reached))}")
    except Skipped as skip:
        state, sentence = "skipped", str(skip)
    except Failed as failure:
        state, sentence = "failed", str(failure)
    except JepakitError as error:
        state, sentence = "failed", f"{type(error).__name__}: {error}"
    except Exception as error:  # foreign code
        state, sentence = "failed", f"it raised {type(error).__name__}: {' '.join(str(error).split())}"
    spent = time.perf_counter() - start
    if reason is not None and state == "failed":
        return Outcome(check.name, "expected", f"{reason} ({sentence})", seconds=spent)
    if reason is not None and state == "passed":
        return Outcome(check.name, "surprise", "it is documented to fail, but passes", "delete it from expected_failures", spent)
    return Outcome(check.name, state, sentence, check.remedy if state == "failed" else "", spent)


def run_checks(checks: Iterable[Check], expected: Mapping[str, str] | None = None, *, fast: bool = False) -> Iterator[Outcome]:
    """Outcomes one by one. An expected failure must name a check and give a reason.

    Raises:
        UsageError: an expected failure without a reason, or (after the last outcome) one that no check has the name of.
    """
    named = dict(expected or {})
    check_expected(named)
    seen = []
    for check in checks:
        seen.append(check.name)
        if not (fast and check.slow):
            yield run_check(check, named)
    for name in named:
        if name not in seen:
            raise UsageError(f"expected_failures: {unknown_name('check', name, seen)}")


def check_expected(expected: Mapping[str, str]) -> None:
    """UsageError for an expected failure without a reason."""
    for name, reason in expected.items():
        if not isinstance(reason, str) or not reason.strip():
            raise UsageError(f"expected_failures: '{name}' needs a reason, a sentence that tells a reader why it is right to fail")
