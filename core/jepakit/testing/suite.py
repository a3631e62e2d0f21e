"""The kit inside pytest: one umbrella class, and a decorator, both with documented expected failures."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from jepakit.errors import UsageError, unknown_name
from jepakit.testing.check import Check, check_expected, run_check
from jepakit.testing.plugin import check_plugin, documented_failures


class PluginChecks:
    """Subclass it in a test module, and every check of the plugin is a test.

    plugin: a distribution, or the path of a one-file plugin. recipes: YAML files that belong to it. overrides: "key=value" each,
    for all its recipes. expected_failures: check → why it is right to fail, beside those that the plugin's module documents itself; an
    expected failure that passes is an error.
    """

    plugin: ClassVar[str]
    recipes: ClassVar[Sequence[str]] = ()
    overrides: ClassVar[Sequence[str]] = ()
    expected_failures: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls) -> None:
        checks = check_plugin(cls.plugin, overrides=tuple(cls.overrides), recipes=tuple(cls.recipes))
        made = parametrize_with_checks(checks, {**documented_failures(cls.plugin), **cls.expected_failures})

        def test_contract(self: PluginChecks, check: Callable[[], None]) -> None:
            check()

        cls.test_contract = made(test_contract)  # type: ignore[attr-defined]


def parametrize_with_checks(checks: Iterable[Check], expected_failures: Mapping[str, str] | None = None) -> Any:
    """A decorator that runs the decorated test once a check, which it gets as the argument `check` and calls; slow ones are marked so.

    Raises:
        UsageError: an expected failure without a reason, or with a name that no check has.
    """
    found, expected = list(checks), dict(expected_failures or {})
    check_expected(expected)
    for name in expected:
        if name not in {check.name for check in found}:
            raise UsageError(f"expected_failures: {unknown_name('check', name, [check.name for check in found])}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pytest.PytestUnknownMarkWarning)  # a project need not know the mark to use the kit
        slow = pytest.mark.slow
    parameters = [pytest.param(_Run(check, expected), id=check.name, marks=[slow] if check.slow else []) for check in found]
    return pytest.mark.parametrize("check", parameters)


class _Run:
    """One check as a test calls it."""

    def __init__(self, check: Check, expected: Mapping[str, str]) -> None:
        self._check, self._expected = check, expected

    def __call__(self) -> None:
        outcome = run_check(self._check, self._expected)
        said = f"{outcome.sentence}; {outcome.remedy}" if outcome.remedy else outcome.sentence
        if outcome.state == "skipped":
            pytest.skip(said)
        if outcome.state == "expected":
            pytest.xfail(said)
        if not outcome.good:
            pytest.fail(f"{outcome.name}: {said}", pytrace=False)
