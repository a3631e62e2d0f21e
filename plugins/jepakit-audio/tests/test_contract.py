"""The conformance kit on everything that this distribution registers."""

from __future__ import annotations

from typing import ClassVar

from jepakit.testing import PluginChecks


class TestPlugin(PluginChecks):
    plugin: ClassVar[str] = "jepakit-audio"
    overrides: ClassVar[tuple[str, ...]] = ("encoder.width=32", "encoder.depth=2", "encoder.heads=2")
