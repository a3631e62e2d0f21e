"""The conformance kit on everything that this distribution registers."""

from __future__ import annotations

from typing import ClassVar

from jepakit.testing import PluginChecks


class TestPlugin(PluginChecks):
    plugin: ClassVar[str] = "jepakit-eeg"
    overrides: ClassVar[tuple[str, ...]] = (
        "encoder.width=32",
        "encoder.heads=2",
        "predictor.width=16",
        "predictor.depth=1",
        "predictor.heads=1",
    )
