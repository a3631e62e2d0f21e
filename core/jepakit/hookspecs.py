"""The whole extension surface: pluggy hook specifications. Registering is a function that returns specs.

A plugin is one light module named by an entry point of the group `jepakit`; it imports `jepakit.sdk` and nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pluggy

from jepakit.specs import CommandSpec, ComponentSpec, DoctorCheckSpec, RecipeSpec

GROUP = "jepakit"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


class Registration:
    """Hooks that run once, at discovery. They return records; nothing is imported."""

    @hookspec
    def register_components(self) -> Sequence[ComponentSpec]:  # type: ignore[empty-body]
        """Modalities, tokenizers, maskers, views, encoders, predictors, targets, transforms, objectives, probes, exporters."""

    @hookspec
    def register_recipes(self) -> Sequence[RecipeSpec]:  # type: ignore[empty-body]
        """Complete run configs shipped as package data."""

    @hookspec
    def register_commands(self) -> Sequence[CommandSpec]:  # type: ignore[empty-body]
        """Commands added to the command line."""

    @hookspec
    def register_doctor_checks(self) -> Sequence[DoctorCheckSpec]:  # type: ignore[empty-body]
        """Checks for `jepakit doctor`."""


class RunEvents:
    """Hooks called while a run goes on, never inside the step."""

    @hookspec
    def before_run(self, run: str, config: Mapping[str, Any]) -> None:
        """The run folder exists, nothing is trained yet."""

    @hookspec
    def after_step(self, run: str, step: int, metrics: Mapping[str, float]) -> None:
        """At logging cadence."""

    @hookspec
    def after_eval(self, run: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """The rows of an evaluation."""

    @hookspec
    def on_collapse(self, run: str, step: int, verdict: str) -> None:
        """The collapse watch changed its verdict to collapsed."""

    @hookspec
    def after_checkpoint(self, run: str, step: int, path: str) -> None:
        """A checkpoint is complete on disk."""

    @hookspec
    def after_run(self, run: str, status: str) -> None:
        """The run ended: finished, interrupted, stopped."""
