"""The conformance kit on everything that this distribution registers."""

from __future__ import annotations

from jepakit.testing import PluginChecks


class TestPlugin(PluginChecks):
    plugin = "jepakit-lidar"
    overrides = ("encoder.width=32", "encoder.depth=2", "encoder.heads=2", "predictor.width=16", "predictor.depth=1", "predictor.heads=1")
