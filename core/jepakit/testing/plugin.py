"""All checks of one plugin: how it registers, then every component it brings, then every recipe it ships."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from jepakit.build import build_modality
from jepakit.config import Component, RunConfig, load_config
from jepakit.contracts import Sample
from jepakit.errors import JepakitError, PluginError, UsageError, unknown_name
from jepakit.plugin_host.loader import Host, PluginStatus, discover, load
from jepakit.plugin_host.status import normalise
from jepakit.settings import Settings
from jepakit.specs import ComponentSpec
from jepakit.testing.check import Check, Failed, Skipped, expect
from jepakit.testing.encoder import check_encoder
from jepakit.testing.masker import check_masker
from jepakit.testing.objective import check_objective, check_view
from jepakit.testing.predictor import check_predictor
from jepakit.testing.reader import check_modality
from jepakit.testing.recipe import Scene, check_recipe
from jepakit.testing.target import check_target
from jepakit.testing.tokenizer import check_tokenizer, layouts_of

IMPORT_BUDGET = 0.150
"""Seconds that importing a plugin may take beyond what jepakit.sdk takes: twenty plugins must not make `--help` slow."""
SECTION = {"view": "views"} | {role: role for role in ("tokenizer", "masker", "encoder", "predictor", "target")}


@dataclass(frozen=True)
class Subject:
    """A plugin under check. only: names of components to check, all when empty. recipes: in place of those that it ships."""

    host: Host
    status: tuple[PluginStatus, ...]
    files: tuple[Path, ...] = ()
    overrides: tuple[str, ...] = ()
    recipe_files: tuple[str, ...] = ()

    @property
    def components(self) -> list[ComponentSpec]:
        """All that it registers, of every entry point."""
        return [spec for status in self.status for spec in status.components]

    @property
    def recipes(self) -> list[str]:
        """Its recipes, by full name, and files given beside it."""
        named = [f"{status.distribution}/{spec.name}" for status in self.status for spec in status.recipes]
        return [*named, *self.recipe_files]

    @cached_property
    def configs(self) -> list[RunConfig]:
        """Its recipes, those that can be read."""
        found = []
        for name in self.recipes:
            try:
                found.append(load_config(name, [*self.overrides], self.host))
            except JepakitError:
                continue  # recipe.config says so
        return found


def find_plugin(plugin: str, overrides: tuple[str, ...] = (), recipes: tuple[str, ...] = (), host: Host | None = None) -> Subject:
    """A plugin by the name of its distribution, or by the path of its one file; recipe files beside it belong to it.

    Raises:
        UsageError: nothing of that name is installed. PluginError: it is not fit for use.
    """
    path = Path(plugin)
    files = (path,) if path.suffix == ".py" else ()
    if files and not path.is_file():
        raise UsageError(f"there is no file {path}")
    host = host or discover(files=files)
    name = normalise(path.stem if files else plugin)
    found = tuple(status for status in host.plugins if normalise(status.distribution) == name)
    if not found:
        raise UsageError(unknown_name("plugin", plugin, {status.distribution for status in host.plugins}))
    for status in found:
        if status.state != "ok":
            raise PluginError(f"{status.distribution} is {status.state}: {status.reason}; {status.remedy}")
    return Subject(host, found, files, overrides, recipes)


def documented_failures(plugin: str, host: Host | None = None) -> dict[str, str]:
    """Check → why it is right to fail, from the constant `EXPECTED_FAILURES` of the plugin's module (docs/write_a_plugin.md).

    Raises:
        UsageError: nothing of that name is installed. PluginError: it is not fit for use, or the constant is no mapping.
    """
    found: dict[str, str] = {}
    for status in find_plugin(plugin, host=host).status:
        said = getattr(import_module(status.module), "EXPECTED_FAILURES", {})
        if not isinstance(said, Mapping):
            raise PluginError(f"{status.module}: EXPECTED_FAILURES must map the name of a check to a reason, it is {said!r}")
        found.update(said)
    return found


def check_plugin(
    plugin: str, *, overrides: tuple[str, ...] = (), recipes: tuple[str, ...] = (), host: Host | None = None
) -> Iterator[Check]:
    """Every check of one plugin, the cheap ones first.

    Args:
        plugin: an installed distribution, or the path of a one-file plugin. recipes: YAML files that belong to it.
        overrides: "key=value" each, which bring its recipes to a size for tests.
    """
    subject = find_plugin(plugin, overrides, recipes, host)
    yield Check("plugin.import", partial(_import_budget, subject), "import torch and other heavy packages inside functions and components")
    yield Check("plugin.licence", partial(_licence, subject), 'name a licence in pyproject.toml: license = "Apache-2.0"')
    for spec in subject.components:
        yield from _component_checks(subject, spec)
    for name in subject.recipes:
        yield from _suffixed(check_recipe(name, subject.host, subject.overrides), name.rpartition("/")[2].removesuffix(".yaml"))


def _suffixed(checks: Iterator[Check], name: str) -> Iterator[Check]:
    yield from (Check(f"{check.name}[{name}]", check.run, check.remedy, check.slow) for check in checks)


def _import_budget(subject: Subject) -> None:
    modules = [str(path) for path in subject.files] or [status.module for status in subject.status]
    code = (
        "import sys, time, runpy, json\nfrom importlib import import_module\nimport jepakit.sdk\nstart = time.perf_counter()\n"
        "for name in sys.argv[1:]:\n    runpy.run_path(name) if name.endswith('.py') else import_module(name)\n"
        "print(json.dumps([time.perf_counter() - start, sorted({'torch', 'numpy', 'pandas'} & set(sys.modules))]))"
    )
    spent = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code, *modules], capture_output=True, text=True, check=False, timeout=60)
        expect(done.returncode == 0, f"importing it fails: {done.stderr.strip().splitlines()[-1:]}")
        seconds, heavy = json.loads(done.stdout.splitlines()[-1])
        expect("torch" not in heavy or bool(subject.files), "importing it imports torch")
        spent.append(seconds)
    if subject.files:
        raise Skipped("a single file holds its components, so it needs torch; a package names them and imports them when they are used")
    expect(min(spent) <= IMPORT_BUDGET, f"importing it takes {min(spent) * 1000:.0f} ms, at most {IMPORT_BUDGET * 1000:.0f} are allowed")


def _licence(subject: Subject) -> None:
    if subject.files:
        raise Skipped("a single file has no metadata")
    try:
        found: Any = metadata(subject.status[0].distribution)
    except PackageNotFoundError as error:
        raise Failed(f"it has no metadata: {error}") from error
    known = (
        found.get("License-Expression")
        or found.get("License")
        or [c for c in found.get_all("Classifier") or () if c.startswith("License ::")]
    )
    expect(bool(known), "its metadata name no licence")


def _component_checks(subject: Subject, spec: ComponentSpec) -> Iterator[Check]:
    yield Check(f"options[{spec.role} {spec.name}]", partial(_options, spec), "derive the options from jepakit.sdk.Settings")
    yield Check(f"requires[{spec.role} {spec.name}]", partial(_requires, spec), "list optional packages in ComponentSpec.requires")
    if spec.role in MAKERS:
        try:
            checks = list(MAKERS[spec.role](subject, spec))
        except Skipped as skip:
            checks = [Check(f"{spec.role}.made", partial(_raise, skip))]
        except Exception as error:  # its factory is foreign code
            checks = [Check(f"{spec.role}.made", partial(_raise, error), "the factory must work as described in docs/write_a_plugin.md")]
        yield from _suffixed(iter(checks), spec.name)


def _raise(error: Exception) -> None:
    raise error


def _options(spec: ComponentSpec) -> None:
    if not spec.config:
        raise Skipped("it has no options")
    model = load(spec.config)
    expect(isinstance(model, type) and issubclass(model, Settings), f"{spec.config} is no jepakit.sdk.Settings")
    expect(bool(json.dumps(model.model_json_schema())), "its options have no JSON schema")
    expect(_refuses(model, {"no_such_option": 1}), "an unknown option is accepted; keep extra='forbid' of jepakit.sdk.Settings")
    if any(field.is_required() for field in model.model_fields.values()):
        return
    default = model()
    expect(model.model_validate(default.model_dump(mode="json")) == default, "its options read back from a run folder are others")


def _refuses(model: type[Settings], given: dict[str, Any]) -> bool:
    try:
        model.model_validate(given)
    except ValidationError as error:
        return any(problem["type"] == "extra_forbidden" for problem in error.errors())
    return False


def _requires(spec: ComponentSpec) -> None:
    """Imports the component with its optional packages made unfindable: it must load, or say which package to install."""
    if not spec.requires:
        raise Skipped("it needs no optional package")
    for package in spec.requires:
        expect(bool(re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", package)), f"'{package}' in requires is no import name")
    missing = [package for package in spec.requires if find_spec(package) is None]
    if missing:
        return
    code = (
        "import sys, json\nfor name in json.loads(sys.argv[2]): sys.modules[name] = None\n"
        "from jepakit.plugin_host.host import load\nfrom jepakit.errors import PluginError\n"
        "try:\n    load(sys.argv[1])\nexcept PluginError as error:\n    assert 'pip install' in str(error), error\n"
    )
    done = subprocess.run([sys.executable, "-c", code, spec.target, json.dumps(spec.requires)], capture_output=True, text=True, check=False)
    expect(
        done.returncode == 0, f"without {', '.join(spec.requires)} it gives no pip line: {(done.stderr.strip().splitlines() or [''])[-1]}"
    )


def _config_for(subject: Subject, spec: ComponentSpec) -> tuple[RunConfig | None, Settings | None]:
    """The first recipe of the plugin that names the component, and the options it has there; else none and the defaults."""
    for config in subject.configs:
        sections: list[Component | None] = [getattr(config, SECTION[spec.role])] if spec.role in SECTION else list(config.objective)
        for component in sections:
            if component is not None and component.name.rpartition("/")[2] == spec.name:
                return config, component.settings
    if not spec.config:
        return None, None
    model: type[Settings] = load(spec.config)
    needed = [name for name, field in model.model_fields.items() if field.is_required()]
    if needed:
        raise Skipped(f"options {', '.join(needed)} have no default and no recipe of the plugin sets them")
    return None, model()


def _given(settings: Settings | None) -> tuple[Settings, ...]:
    return () if settings is None else (settings,)


def _samples(subject: Subject, config: RunConfig | None) -> tuple[list[Sample], Mapping[str, Any]]:
    named = [spec for spec in subject.components if spec.role == "modality"]
    if config is not None:
        modality = build_modality(config, subject.host)
    elif named:
        modality = load(named[0].target)()
    else:
        raise Skipped("no recipe of the plugin names it, so there are no samples to check it on")
    reader = modality.synthetic(8, 0)
    return [reader.read(index) for index in range(8)], reader.spec()


def _make(component: ComponentSpec, settings: Settings | None, weights: int = 0, /, **facts: Any) -> Any:
    """The component with the weights of that seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights)
        return load(component.target)(*_given(settings), **facts)


def _axes(subject: Subject, config: RunConfig | None) -> int:
    if config is None:
        return 2
    spec, _ = subject.host.component("tokenizer", config.tokenizer.name)
    _, facts = _samples(subject, config)
    return len(_make(spec, config.tokenizer.settings, width=_width(config), spec=facts).axes)


def _width(config: RunConfig | None) -> int:
    return int(getattr(config.encoder.settings, "width", 32)) if config is not None else 32


def _modality_checks(subject: Subject, spec: ComponentSpec) -> Iterator[Check]:
    return check_modality(load(spec.target)())


def _tokenizer_checks(subject: Subject, spec: ComponentSpec) -> Iterator[Check]:
    config, settings = _config_for(subject, spec)
    samples, facts = _samples(subject, config)
    make = partial(_make, spec, settings, width=_width(config), spec=facts)
    return check_tokenizer(make(), samples, anew=lambda: make(1))


def _view_checks(subject: Subject, spec: ComponentSpec) -> Iterator[Check]:
    config, settings = _config_for(subject, spec)
    return check_view(_make(spec, settings), _samples(subject, config)[0])


def _masker_checks(subject: Subject, spec: ComponentSpec) -> Iterator[Check]:
    config, settings = _config_for(subject, spec)
    if config is None:
        return check_masker(_make(spec, settings))
    samples, facts = _samples(subject, config)
    maker, _ = subject.host.component("tokenizer", config.tokenizer.name)
    tokenizer = _make(maker, config.tokenizer.settings, width=_width(config), spec=facts)
    return check_masker(_make(spec, settings), layouts_of(tokenizer, samples[:2]))


def _encoder_checks(subject: Subject, spec: ComponentSpec) -> Iterator[Check]:
    config, settings = _config_for(subject, spec)
    axes = _axes(subject, config)
    return check_encoder(_make(spec, settings, axes=axes), axes, anew=lambda: _make(spec, settings, 1, axes=axes))


def _predictor_checks(subject: Subject, spec: ComponentSpec) -> Iterator[Check]:
    config, settings = _config_for(subject, spec)
    widths = {"context_width": _width(config), "target_width": _width(config)}
    anew = partial(_make, spec, settings, 1, **widths)
    return check_predictor(_make(spec, settings, **widths), axes=_axes(subject, config), anew=anew, **widths)


def _objective_checks(subject: Subject, spec: ComponentSpec) -> Iterator[Check]:
    _, settings = _config_for(subject, spec)
    return check_objective(_make(spec, settings, width=16), 16)


def _target_checks(subject: Subject, spec: ComponentSpec) -> Iterator[Check]:
    """A target is made beside a backbone, so it is taken from a recipe."""
    config, _ = _config_for(subject, spec)
    if config is None:
        raise Skipped("no recipe of the plugin names it, so there is no backbone that it belongs to")
    scene = Scene(config.resolved(), subject.host)
    parts = scene.parts()
    (batch,) = scene.feed(parts, count=1)
    assert parts.jepa.target is not None
    return check_target(parts.jepa.target, parts.jepa.backbone, batch.streams)


MAKERS: Mapping[str, Callable[[Subject, ComponentSpec], Iterator[Check]]] = {
    "modality": _modality_checks,
    "tokenizer": _tokenizer_checks,
    "view": _view_checks,
    "masker": _masker_checks,
    "encoder": _encoder_checks,
    "predictor": _predictor_checks,
    "objective": _objective_checks,
    "target": _target_checks,
}
"""Role → checks of a component in that role. Transforms and probes are checked by the recipes that use them."""
