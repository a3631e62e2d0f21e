"""The evaluation of a run: its encoder, the same encoder untrained and raw features, on the same samples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits
from torch import nn

from jepakit import checkpoint, disk
from jepakit.build import Parts, build, build_modality
from jepakit.config import RunConfig
from jepakit.contracts import Batch, Features, Modality, Reader, Tokenizer
from jepakit.contracts.carriers import to_device
from jepakit.data.loader import eval_batches
from jepakit.errors import ConfigError, DataError
from jepakit.evaluate.contenders import plugin_probes, raw_source, rivals_of, with_facts
from jepakit.evaluate.dense import MOST, TokenLabels, extract_tokens
from jepakit.evaluate.features import TOKENS, FeatureSet, extract
from jepakit.evaluate.labels import task_of
from jepakit.evaluate.rows import Evaluation, FeatureSource, evaluate
from jepakit.model.backbone import Backbone
from jepakit.plugin_host.host import Host
from jepakit.report.artifacts import EMBEDDING, EVALUATION, framed, save_embedding
from jepakit.sources import has_test_split, open_source
from jepakit.train.loop import Emit, pick_device

BATCH = 256
MOST_SHOWN = 1_000
"""Samples in the embedding map of the report."""
THUMBNAIL = 64
"""Largest side of a picture in the map, in pixels."""


def evaluate_encoder(
    out: Path, config: RunConfig, host: Host, data: str, test: str | None, emit: Emit, *, which: str = "latest"
) -> Evaluation:
    """Everything from a checkpoint to evaluation.json and the embedding map in the run folder. which: "latest", "best" or a step."""
    modality = build_modality(config, host)
    train_reader = open_source(config, modality, data, "train")
    if test and config.evaluate.split != "holdout":
        raise ConfigError(f"evaluate.split: '{config.evaluate.split}' judges every sample of --data once; leave out --test")
    whole = config.evaluate.split != "holdout"
    if whole:
        train_reader = open_source(config, modality, data, "train" if data == "synthetic" else "all")
    test_reader = open_source(config, modality, test or data, "test") if not whole and (test or has_test_split(data)) else None
    if test_reader is not None:
        check_classes(train_reader, test_reader)
    trained = trained_parts(out, config, host, train_reader.spec(), modality, which=which)
    untrained = build(config, host, train_reader.spec(), modality)
    same_scalers(trained, untrained)
    sources = {}
    for name, parts in (("encoder", trained), ("untrained", untrained)):
        emit({"event": "features", "row": name, "sentence": f"features of {name}"})
        sources[name] = features_of(config, parts, train_reader, test_reader)
    raw = None
    if task_of(train_reader.spec()) != "dense":  # raw features are one vector a sample, dense labels are many
        emit({"event": "features", "row": "raw", "sentence": "features of raw"})
        raw = raw_source(train_reader, test_reader, modality)
    sources = {name: with_facts(source, raw, task_of(train_reader.spec())) for name, source in sources.items()}
    contenders = {name: (parts, chosen_backbone(config, parts)) for name, parts in (("encoder", trained), ("untrained", untrained))}
    with threadpool_limits(1):  # probes are many small problems: measured several times slower on two threads than on one
        found = evaluate(
            sources["encoder"],
            sources["untrained"],
            raw,
            settings=config.evaluate,
            seed=config.train.seed,
            rivals=rivals_of(config, modality, contenders, train_reader, test_reader),
            others=plugin_probes(config, host),
            run=str(out),
            data=data,
            tell=lambda sentence: emit({"event": "probe", "sentence": sentence}),
        )
    disk.replace_file(out / EVALUATION, json.dumps(found.to_json(), indent=1).encode())
    (out / EMBEDDING).unlink(missing_ok=True)  # of an evaluation on other data
    if raw is not None:
        keep_map(out, sources["encoder"], found.pooling, modality, train_reader, test_reader)
    host.tell(
        "after_eval", {"run": str(out), "rows": found.to_json()["rows"]}, lambda sentence: emit({"event": "warning", "sentence": sentence})
    )
    return found


def trained_parts(out: Path, config: RunConfig, host: Host, spec: Mapping[str, Any], modality: Modality, *, which: str = "latest") -> Parts:
    """The parts of a run with the weights of one checkpoint: "latest", "best" or a step."""
    parts = build(config, host, spec, modality)
    checkpoint.unpack_module("model", checkpoint.load_named(out, which).tensors, parts.jepa)
    return parts


def check_classes(train: Reader, test: Reader) -> None:
    """DataError when a class number means one class in the training data and another in the test data (folders that differ).

    A name that is just its own number is unknown: a Parquet file gives it to classes it holds no sample of. Samples of several classes at
    once must be told the same number of them.
    """
    if task_of(train.spec()) == "multilabel":
        ours, theirs = (len(np.asarray(reader.read(0).label)) for reader in (train, test))
        if ours != theirs:
            raise DataError(
                f"the training data know {ours} classes, the test data {theirs}; name the same ones in both, also those that no sample has"
            )
    names = [reader.spec().get("class_names") or () for reader in (train, test)]
    for number, (ours, theirs) in enumerate(zip(*names)):
        if ours != theirs and str(number) not in (ours, theirs):
            raise DataError(
                f"class {number} is '{ours}' in the training data and '{theirs}' in the test data; both need the same classes, "
                "as folders of the same names or as numbers"
            )


def same_scalers(trained: Parts, untrained: Parts) -> None:
    """The untrained encoder sees inputs scaled as the trained one does: buffers of tokenizers are fitted, not trained."""
    for name, tokenizer in untrained.tokenizers.items():
        for (_, own), (_, fitted) in zip(tokenizer.named_buffers(), trained.tokenizers[name].named_buffers()):
            own.copy_(fitted)
    untrained.jepa.settle()  # the averaged encoder, which is the one that is evaluated, has scalers of its own


def chosen_backbone(config: RunConfig, parts: Parts) -> Backbone:
    """The encoder that users keep: the averaged one where there is one (what the papers evaluate), else the context encoder."""
    average = getattr(parts.jepa.target, "average", None)
    if config.evaluate.encoder == "target" and average is None:
        raise ConfigError("evaluate.encoder: 'target' asks for the averaged encoder, but this recipe keeps none; use 'context' or 'auto'")
    if config.evaluate.encoder == "context" or average is None:
        return parts.jepa.backbone
    tokenizers = average.tokenizers if len(average.tokenizers) else parts.jepa.backbone.tokenizers
    return Backbone({name: part for name, part in tokenizers.items() if isinstance(part, Tokenizer)}, average.encoder)


class Embed(nn.Module):
    """An encoder as one function of a batch, so that it can run in any number format."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.levels = (backbone.encoder.depth // 2 - 1,) if backbone.encoder.depth > 1 else ()

    def forward(self, batch: Batch) -> Features:
        """Features of all tokens, with the middle block as level."""
        return self.backbone.embed(batch, levels=self.levels)


def features_of(config: RunConfig, parts: Parts, train: Reader, test: Reader | None) -> FeatureSource:
    """Frozen features of both splits under all poolings, in float32 whatever the run was trained in.

    Rounding to bfloat16 does not treat encoders alike: on held-out training windows of bundled:photos it was worth 2.6 points to the
    untrained one and half a point to the trained one (docs/results.md, "image-quick on the bundled sets").
    """
    device = pick_device(config.train.device)
    module = Embed(chosen_backbone(config, parts)).to(device).eval()

    kinds = (*config.evaluate.poolings, *((TOKENS,) if "attentive" in config.evaluate.probes else ()))

    def embed(batch: Batch) -> Features:
        features: Features = module(to_device(batch, device))
        return features

    def of(reader: Reader) -> FeatureSet:
        if task_of(train.spec()) == "dense":
            labelled = eval_batches(TokenLabels(reader, parts.tokenizers, parts.modality), BATCH, parts.tokenizers)
            share = min(config.evaluate.dense_tokens, max(1, MOST // max(len(reader), 1)))
            return extract_tokens(embed, labelled, most=share, seed=config.train.seed)
        return extract(embed, eval_batches(reader, BATCH, parts.tokenizers), kinds)

    return FeatureSource(of(train), None if test is None else of(test))


def keep_map(
    out: Path,
    source: FeatureSource,
    pooling: str,
    modality: Modality,
    train: Reader,
    test: Reader | None,
) -> None:
    """Embeddings and pictures of test samples (training samples when nothing else was given) for the report."""
    features, reader = (source.test, test) if source.test is not None and test is not None else (source.train, train)
    rows = np.unique(np.linspace(0, len(features) - 1, min(MOST_SHOWN, len(features))).round().astype(int))
    shown = features.take(rows)
    pictures = [modality.picture(reader.read(int(row))) for row in rows]
    labels = shown.labels if shown.labels is not None and shown.labels.dtype.kind == "i" else None
    names = [str(name) for name in reader.spec().get("class_names") or ()]
    if labels is not None and labels.ndim == 2:
        labels, names = sets_of_classes(labels, names)
    save_embedding(
        out,
        shown.by_pooling[pooling].astype(np.float32),
        labels,
        shown.ids,
        thumbnails([picture for picture in pictures if picture is not None], len(rows)),
        names,
    )


def sets_of_classes(flags: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Which set of classes a sample has, (M,) int64, and what the sets are called. flags: (M, L), 1 where a sample has a class."""
    sets, place = np.unique(flags, axis=0, return_inverse=True)
    known = [names[one] if one < len(names) else str(one) for one in range(flags.shape[1])]
    return place.astype(np.int64).ravel(), [" + ".join(known[one] for one in np.flatnonzero(row)) or "none" for row in sets]


def thumbnails(pictures: list[np.ndarray], expected: int) -> np.ndarray | None:
    """Pictures in one array, every n-th pixel of large ones; None when there are none."""
    small = [picture[:: -(-max(picture.shape[:2]) // THUMBNAIL), :: -(-max(picture.shape[:2]) // THUMBNAIL)] for picture in pictures]
    return framed(small) if small and len(small) == expected else None
