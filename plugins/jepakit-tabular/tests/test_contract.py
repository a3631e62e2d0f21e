"""The conformance kit over everything that this distribution registers."""

from __future__ import annotations

from typing import ClassVar

from jepakit.testing import PluginChecks


class TestPlugin(PluginChecks):
    plugin: ClassVar[str] = "jepakit-tabular"
