"""Who stands beside the encoder in an evaluation of a run: raw features, the library baseline, fine-tuned encoders, probes of plugins."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from jepakit.build import Parts
from jepakit.config import RunConfig
from jepakit.contracts import Modality, Reader
from jepakit.errors import ConfigError
from jepakit.evaluate.estimators import FACTORIES, Factory
from jepakit.evaluate.features import FeatureSet, raw_features
from jepakit.evaluate.finetune import FineTuned
from jepakit.evaluate.labels import Task, inferred, label_array, task_of
from jepakit.evaluate.measure import FeatureSource
from jepakit.evaluate.probe import Probe
from jepakit.evaluate.probes import ELSEWHERE
from jepakit.evaluate.samples import Rival, Samples
from jepakit.evaluate.settings import EvalSettings
from jepakit.model.backbone import Backbone
from jepakit.plugin_host.host import Host, load

CLASSICAL, FINETUNE = "classical", "finetune"


def raw_source(train: Reader, test: Reader | None, modality: Modality) -> FeatureSource:
    """What the modality offers without an encoder, and the facts of the samples."""
    return FeatureSource(raw_features(train, modality), None if test is None else raw_features(test, modality))


def with_facts(source: FeatureSource, raw: FeatureSource | None, task: Task | None) -> FeatureSource:
    """The facts that were read with the raw features, beside those of an encoder; and the kind of labels."""
    if raw is None:
        return source

    def joined(part: FeatureSet | None, other: FeatureSet | None) -> FeatureSet | None:
        return None if part is None else replace(part, facts=None if other is None else other.facts, stated=task)

    train = joined(source.train, raw.train)
    assert train is not None
    return FeatureSource(train, joined(source.test, raw.test))


def task_of_reader(reader: Reader) -> Task | None:
    """The kind of labels that the reader states, or what its first label looks like; None without labels."""
    if (stated := task_of(reader.spec())) is not None:
        return stated
    sample = reader.read(0)
    labels = label_array([sample.label], [sample.id])
    return None if labels is None else inferred(labels)


def rivals_of(
    config: RunConfig, modality: Modality, contenders: dict[str, tuple[Parts, Backbone]], train: Reader, test: Reader | None
) -> list[Rival]:
    """The library baseline where the modality has one, on the line of the first probe; fine-tuned encoders where they are asked for."""
    task = task_of_reader(train)
    if task == "dense" and FINETUNE in config.evaluate.probes:
        raise ConfigError(f"evaluate.probes: '{FINETUNE}' knows no dense labels yet; leave it out")
    if task is None or task == "dense":
        return []
    samples = Samples(train), None if test is None else Samples(test)
    settings, found = config.evaluate, []
    if settings.classical and modality.classical(task) is not None:
        found.append(Rival(CLASSICAL, settings.probes[0], partial(_baseline, modality, task), _title(modality, task), *samples))
    if FINETUNE in settings.probes:
        for row, (parts, backbone) in contenders.items():
            make = partial(FineTuned, backbone, parts.tokenizers, task=task, settings=settings, seed=config.train.seed)
            found.append(Rival(row, FINETUNE, make, f"all weights trained for {settings.finetune_steps} steps", *samples))
    return found


def _baseline(modality: Modality, task: Task) -> object:
    named = modality.classical(task)
    assert named is not None
    return named[1]


def _title(modality: Modality, task: Task) -> str:
    named = modality.classical(task)
    assert named is not None
    return named[0]


def plugin_probes(config: RunConfig, host: Host) -> dict[str, Factory]:
    """Factories of the probes that are not the core's, by name; ConfigError for a name that nobody registers."""
    names = [name for name in config.evaluate.probes if name not in FACTORIES and name not in ELSEWHERE]
    return {name: _factory(host, name) for name in names}


def _factory(host: Host, name: str) -> Factory:
    spec, _ = host.component("probe", name)
    if spec.config:
        raise ConfigError(f"evaluate.probes: '{name}' has options, which a probe can't be given yet; ask its authors for one without")
    target = load(spec.target)

    def make(task: Task, settings: EvalSettings, seed: int) -> Probe | None:
        probe: Probe | None = target(task=task, seed=seed)
        return probe

    return make
