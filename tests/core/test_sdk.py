"""The one door for plugins."""

from __future__ import annotations

import subprocess
import sys

import pytest

from jepakit import sdk


@pytest.mark.parametrize("name", sdk.__all__)
def test_every_promised_name_is_there(name: str) -> None:
    assert getattr(sdk, name) is not None


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'Tokeniser'"):
        _ = sdk.Tokeniser


def test_registering_needs_no_heavy_package() -> None:
    heavy = "{'torch', 'numpy', 'pydantic'} & set(sys.modules)"
    code = f"import sys\nfrom jepakit.sdk import API, ComponentSpec, RecipeSpec, hookimpl\nprint({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
