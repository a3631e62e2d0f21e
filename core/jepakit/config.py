"""The config of a run: one YAML and overrides become validated options, or one error that lists everything that is off.

```yaml
modality: image                                   encoder: {name: ..., width: 192}
tokenizer: {name: ..., patch: 8}                  predictor: {name: ...}        # or null
views: {name: ...}                                target: {name: ema}           # or null
masker: {name: block, targets: 4}                 transform: {name: levels}
executor: union                                   objective: [{name: smooth-l1, weight: 1.0}]
optim: {}   data: {}   train: {}   monitor: {}   evaluate: {}
```
The options of a component are those of its own Settings model; the core sections have theirs here and beside what they set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from jepakit.config_errors import describe, unknown_option
from jepakit.errors import ConfigError, JepakitError, PluginError
from jepakit.evaluate.settings import EvalSettings
from jepakit.overrides import apply_overrides
from jepakit.plugin_host.host import Host, load
from jepakit.recipes import find_recipe
from jepakit.settings import Settings
from jepakit.specs import ComponentSpec
from jepakit.strict_yaml import parse_mapping
from jepakit.train.monitor import MonitorSettings
from jepakit.train.optim import OptimSettings

Executor = Literal["rows", "union", "packed", "cross"]


class DataSettings(Settings):
    """How samples become batches."""

    batch: int = Field(256, ge=1, description="samples an optimiser step, over all micro-batches")
    collate: Literal["pad", "truncate_tail", "truncate_random", "truncate_mean"] = Field(
        "pad", description="what becomes of index sets of unequal size"
    )
    workers: int = Field(0, ge=0, description="processes that prepare batches; 0 = the training process itself")
    cache_mib: int = Field(1024, ge=0, description="memory for samples read once")
    limit: int | None = Field(None, ge=1, description="use the first samples only")


class TrainSettings(Settings):
    """How long to train, on what, and when to save."""

    steps: int | None = Field(None, ge=1, description="optimiser steps; excludes minutes")
    minutes: float | None = Field(None, gt=0, description="wall-clock minutes; excludes steps")
    seed: int = Field(0, ge=0)
    device: str = Field("auto", pattern=r"^(auto|cpu|mps|xpu|cuda(:\d+)?)$", description="auto takes an accelerator if there is one")
    precision: Literal["auto", "float32", "bf16", "bf16-weights"] = "auto"
    accumulate: int = Field(1, ge=1, description="micro-batches an optimiser step; must divide data.batch")
    log_every: int = Field(10, ge=1, description="steps")
    checkpoint_minutes: float = Field(2.0, gt=0)
    keep: int = Field(2, ge=1, description="checkpoints kept, beside the best")
    on_collapse: Literal["warn", "stop"] = "warn"
    probe_every: int = Field(
        0, ge=0, description="steps between linear probes on labelled training samples, whose best checkpoint is kept as best; 0 = none"
    )
    probe_samples: int = Field(1_000, ge=10, description="training samples that these probes look at")


class Component(BaseModel):
    """A component by name, with its validated options. weight: of an objective, 1 elsewhere. inner: components it is made of."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    settings: Settings | None = None
    weight: FiniteFloat = 1.0
    inner: tuple[Component, ...] = ()

    def resolved(self) -> dict[str, Any]:
        """Name and every option, defaults filled in, as plain data."""
        options = {} if self.settings is None else self.settings.model_dump(mode="json")
        return {"name": self.name, **options, **({"inner": [part.resolved() for part in self.inner]} if self.inner else {})}

    def names(self) -> Iterator[str]:
        """Its own name and those of all that it is made of."""
        yield self.name
        for part in self.inner:
            yield from part.names()


class RunConfig(BaseModel):
    """Everything that a run is made of. Made by `load_config`; nothing in it is left to be checked but the data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: str
    modality: str
    tokenizer: Component
    views: Component | None
    masker: Component
    encoder: Component
    predictor: Component | None
    executor: Executor
    target: Component | None
    transform: Component
    objective: tuple[Component, ...]
    optim: OptimSettings
    data: DataSettings
    train: TrainSettings
    monitor: MonitorSettings
    evaluate: EvalSettings

    def named(self) -> Iterator[tuple[str, str]]:
        """(role, name) of everything that a plugin brings to this run."""
        yield "modality", self.modality
        for section, role in ROLE_OF.items():
            component: Component | None = getattr(self, section)
            if component is not None:
                yield from ((role, name) for name in component.names())
        yield from (("objective", term.name) for term in self.objective)

    def resolved(self) -> dict[str, Any]:
        """The whole config as plain data with all defaults; reading it back gives an equal config."""
        return {name: _plain(value) for name in type(self).model_fields for value in [getattr(self, name)]}


def _plain(value: Any) -> Any:
    if isinstance(value, Component):
        return value.resolved()
    if isinstance(value, Settings):
        return value.model_dump(mode="json")
    return [term.resolved() | {"weight": term.weight} for term in value] if isinstance(value, tuple) else value


ROLE_OF = {
    "tokenizer": "tokenizer",
    "views": "view",
    "masker": "masker",
    "encoder": "encoder",
    "predictor": "predictor",
    "target": "target",
    "transform": "transform",
}
"""Section of a config → role of the component in it."""
OPTIONAL = ("views", "predictor", "target")
DEFAULTS: Mapping[str, Any] = {"recipe": "custom", "executor": "union", "transform": "levels", **dict.fromkeys(OPTIONAL)}
P = TypeVar("P", bound=BaseModel)


def load_config(recipe: str | Mapping[str, Any], overrides: Sequence[str], host: Host) -> RunConfig:
    """Read, override and validate, before any data is touched.

    Args:
        recipe: a recipe's name, a path to a YAML file, or a config as plain data (of a run that goes on).
        overrides: "key.sub=value" each.

    Raises:
        ConfigError: with one line for everything that is off. PluginError: if all that is off is a plugin or a missing package.
    """
    if isinstance(recipe, str):
        found = find_recipe(recipe, host)
        raw: Mapping[str, Any] = {"recipe": found.name} | parse_mapping(found.text, found.origin)
        origin = found.origin
    else:
        raw, origin = recipe, "config of the run"
    changed, problems = apply_overrides(raw, overrides)
    return _Check(host, problems).run(changed, origin)


class _Check:
    """One validation: it goes on after an error, so that all are found at once."""

    def __init__(self, host: Host, problems: Iterable[JepakitError]) -> None:
        self._host = host
        self._problems: list[JepakitError] = list(problems)

    def run(self, raw: Mapping[str, Any], origin: str) -> RunConfig:
        """The config, or one error for all problems."""
        fields = RunConfig.model_fields
        self._problems += [ConfigError(unknown_option(key, "the config", fields)) for key in raw if key not in fields]
        raw = {**DEFAULTS, **{key: value for key, value in raw.items() if key in fields}}
        made: dict[str, Any] = {name: self._component(name, raw.get(name), role) for name, role in ROLE_OF.items()}
        made["modality"] = self._modality(raw.get("modality"))
        made["objective"] = self._objective(raw.get("objective"))
        for name, model in _core_sections().items():
            made[name] = self._settings(name, {} if raw.get(name) is None else raw[name], model, f"section '{name}'")
        self._agree(made["data"], made["train"])
        rest = self._settings("", {"recipe": raw["recipe"], "executor": raw["executor"]}, _Rest, "the config")
        if self._problems or rest is None:
            raise _all_at_once(self._problems, origin)
        return RunConfig(recipe=rest.recipe, executor=rest.executor, **made)

    def _component(self, field: str, raw: Any, role: str) -> Component | None:
        raw = {"name": raw} if isinstance(raw, str) else raw
        if raw is None and field in OPTIONAL:
            return None
        if not isinstance(raw, dict) or not isinstance(name := raw.get("name"), str):
            known = ", ".join(sorted(spec.name for spec in self._host.components(role)))
            self._problems.append(ConfigError(f"{field}: expected {{name: …}} with one of: {known or 'none'}; got {raw!r}"))
            return None
        spec = self._spec(f"{field}.name", role, name)
        options = {key: value for key, value in raw.items() if key != "name"}
        inner = () if spec is None or not spec.inner else self._inner(field, spec, options.pop("inner", None))
        weight = self._settings(field, {"weight": options.pop("weight", 1.0)}, _Weight, field) if role == "objective" else None
        settings = None if spec is None else self._options(field, spec, options)
        return Component(name=name, settings=settings, weight=1.0 if weight is None else weight.weight, inner=inner)

    def _inner(self, field: str, spec: ComponentSpec, raw: Any) -> tuple[Component, ...]:
        """The components of the same role that this one is made of."""
        listed = raw if isinstance(raw, list) else [] if raw is None else [raw]
        if not listed or (spec.inner == "one" and len(listed) > 1):
            wanted = "one {name: …}" if spec.inner == "one" else "a list of {name: …}"
            self._problems.append(ConfigError(f"{field}.inner: {spec.role} '{spec.name}' is made of {wanted}, got {raw!r}"))
            return ()
        made = (self._component(f"{field}.inner.{number}", part, spec.role) for number, part in enumerate(listed))
        return tuple(part for part in made if part is not None)

    def _spec(self, field: str, role: str, name: str) -> ComponentSpec | None:
        """The component that is named, if it can be used here."""
        try:
            spec, status = self._host.component(role, name)
        except JepakitError as error:
            self._problems.append(type(error)(f"{field}: {error}"))
            return None
        missing = [package for package in spec.requires if find_spec(package) is None]
        if missing:
            install = f'"{status.distribution}[{spec.extra}]"' if spec.extra else " ".join(missing)
            needs = ", ".join(missing)
            self._problems.append(PluginError(f"{field}: {role} '{name}' needs {needs}, which is not installed: pip install {install}"))
            return None
        return spec

    def _options(self, field: str, spec: ComponentSpec, options: Mapping[str, Any]) -> Settings | None:
        owner = f"{spec.role} '{spec.name}'"
        if not spec.config:
            self._problems += [ConfigError(unknown_option(f"{field}.{key}", owner, ())) for key in options]
            return None
        try:
            model = load(spec.config)
        except PluginError as error:
            self._problems.append(PluginError(f"{field}: {error}"))
            return None
        if not (isinstance(model, type) and issubclass(model, Settings)):
            self._problems.append(
                PluginError(f"{field}: {spec.config}, the options of {owner}, is no jepakit.sdk.Settings; tell its authors")
            )
            return None
        return self._settings(field, options, model, owner)

    def _modality(self, raw: Any) -> str:
        if not isinstance(raw, str):
            self._problems.append(ConfigError(f"modality: expected the name of one, got {raw!r}"))
            return ""
        self._spec("modality", "modality", raw)
        return raw

    def _objective(self, raw: Any) -> tuple[Component | None, ...]:
        if not isinstance(raw, list) or not raw:
            self._problems.append(ConfigError(f"objective: expected a list of {{name: …, weight: …}}, got {raw!r}"))
            return ()
        return tuple(self._component(f"objective.{number}", term, "objective") for number, term in enumerate(raw))

    def _settings(self, field: str, raw: Any, model: type[P], owner: str) -> P | None:
        if not isinstance(raw, Mapping):
            self._problems.append(ConfigError(f"{field}: expected `key: value` pairs, got {raw!r}"))
            return None
        try:
            return model.model_validate(dict(raw))
        except ValidationError as error:
            self._problems += [ConfigError(line) for line in describe(error, field, raw, owner, model)]
            return None

    def _agree(self, data: DataSettings | None, train: TrainSettings | None) -> None:
        """What one section can't see alone."""
        if train is not None and train.steps is not None and train.minutes is not None:
            self._problems.append(ConfigError("train.steps and train.minutes exclude each other; set one of them to null"))
        if train is not None and data is not None and data.batch % train.accumulate:
            self._problems.append(ConfigError(f"train.accumulate: {train.accumulate} must divide data.batch, which is {data.batch}"))


class _Weight(Settings):
    weight: FiniteFloat


class _Rest(Settings):
    recipe: str
    executor: Executor


def _core_sections() -> dict[str, type[Settings]]:
    return {"optim": OptimSettings, "data": DataSettings, "train": TrainSettings, "monitor": MonitorSettings, "evaluate": EvalSettings}


def _all_at_once(problems: Sequence[JepakitError], origin: str) -> JepakitError:
    kind = PluginError if all(isinstance(problem, PluginError) for problem in problems) else ConfigError
    if len(problems) == 1:
        return kind(f"{origin}: {problems[0]}")
    return kind("\n  ".join([f"{origin}: {len(problems)} problems", *map(str, problems)]))
