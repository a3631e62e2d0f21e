"""Failures that are documented: with a reason, of a check that there is, and only as long as it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jepakit.cli.main import main
from jepakit.errors import PluginError, UsageError
from jepakit.testing import Check, documented_failures, parametrize_with_checks, run_checks

PLUGIN = """
import numpy as np
from jepakit.sdk import ComponentSpec, Context, IndexSet, MaskPlan, Masker, Query, hookimpl

API = 1
{documented}


class PastMasker(Masker):
    def __call__(self, layouts, request):
        tokens = np.flatnonzero(layouts["main"].valid)
        cut = int(request.rng.integers(1, len(tokens)))
        return MaskPlan((Context(IndexSet(tokens[:cut])),), (Query(IndexSet(tokens[cut:])),), info={{"context_ratio": cut / len(tokens)}})


@hookimpl
def register_components():
    return [ComponentSpec("masker", "past", "{module}:PastMasker")]
"""


def written(folder: Path, module: str, documented: str) -> str:
    (folder / f"{module}.py").write_text(PLUGIN.format(module=module, documented=documented))
    return str(folder / f"{module}.py")


def checked(plugin: str, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    main(["plugins", "check", plugin, "--json"])
    return {check["name"]: check["state"] for check in json.loads(capsys.readouterr().out)["checks"]}


def test_a_plugin_documents_beside_its_api_what_fails_for_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    silent = checked(written(tmp_path, "past_silent", ""), capsys)
    assert silent["masker.covers[past]"] == "failed"
    said = 'EXPECTED_FAILURES = {"masker.covers[past]": "the last token is never past"}'
    spoken = checked(written(tmp_path, "past_spoken", said), capsys)
    assert spoken == silent | {"masker.covers[past]": "expected"}


def test_what_a_plugin_documents_must_be_a_mapping(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="EXPECTED_FAILURES must map the name of a check to a reason"):
        documented_failures(written(tmp_path, "past_odd", 'EXPECTED_FAILURES = ("masker.covers[past]",)'))


def bad() -> None:
    raise AssertionError("broken")


def test_expected_failure_needs_a_reason() -> None:
    with pytest.raises(UsageError, match="needs a reason"):
        list(run_checks([Check("a.b", bad)], {"a.b": " "}))


def test_expected_failure_of_no_check_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"Did you mean 'a\.bad'"):
        parametrize_with_checks([Check("a.bad", bad)], {"a.bda": "reason"})


def test_expected_failure_that_passes_is_an_error() -> None:
    (outcome,) = run_checks([Check("a.b", lambda: None)], {"a.b": "documented"})
    assert (outcome.state, outcome.good) == ("surprise", False)


def test_expected_failure_that_fails_is_well() -> None:
    (outcome,) = run_checks([Check("a.b", bad)], {"a.b": "documented"})
    assert (outcome.state, outcome.good) == ("expected", True)
