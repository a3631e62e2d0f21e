"""The conformance kit on everything that this distribution registers."""

from __future__ import annotations

from jepakit.testing import PluginChecks


class TestPlugin(PluginChecks):
    plugin = "jepakit-video"
    overrides = (
        "encoder.width=32",
        "encoder.depth=2",
        "encoder.heads=2",
        "predictor.width=16",
        "predictor.depth=1",
        "predictor.heads=1",
        "optim.lr=8e-3",  # a narrow encoder bears more, and rates made for thousands of steps teach it little in fifty
    )
