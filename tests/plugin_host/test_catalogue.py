"""registry.yaml: data, read with suspicion."""

from __future__ import annotations

from pathlib import Path

import pytest

from jepakit.errors import ConfigError
from jepakit.plugin_host.catalogue import CatalogueEntry, install_hint, read_catalogue

ENTRIES = (CatalogueEntry("jepakit-zoo", "toys", {"tokenizer": ("zoo-patch",), "recipe": ("zoo",)}),)


def test_shipped_catalogue_can_be_read() -> None:
    assert isinstance(read_catalogue(), tuple)


def test_catalogue_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_catalogue(tmp_path / "registry.yaml") == ()


def test_hint_names_the_distribution_for_short_and_full_names() -> None:
    assert install_hint("tokenizer", "zoo-patch", ENTRIES) == " jepakit-zoo provides it: pip install jepakit-zoo"
    assert install_hint("tokenizer", "jepakit-zoo/zoo-patch", ENTRIES)
    assert install_hint("tokenizer", "other/zoo-patch", ENTRIES) == ""
    assert install_hint("masker", "zoo-patch", ENTRIES) == ""


@pytest.mark.parametrize(
    "text",
    [
        "plugins: [{distribution: '--index-url=http://example.org'}]",
        "plugins: [{summary: no name}]",
        "plugins: {a: b}",
        "plugins: [{distribution: a, provides: {masker: block}}]",
        "plugins: [{distribution: a, distribution: b}]",
        "plugins: &a [*a]",
        "plugins: !!python/object/apply:os.getcwd []",
        "- 1",
    ],
)
def test_catalogue_that_is_off_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "registry.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"registry\.yaml"):
        read_catalogue(path)
