"""What rows are compared on: inputs on the same scale, features in the same number format."""

from __future__ import annotations

import numpy as np
import torch

from jepakit.build import build, build_modality, fit_tokenizers
from jepakit.config import load_config
from jepakit.evaluate.run import chosen_backbone, features_of, same_scalers
from jepakit.plugin_host.loader import discover


def test_the_untrained_encoder_that_is_evaluated_has_the_fitted_scalers() -> None:
    host = discover()
    config = load_config("image", ["encoder.width=16", "encoder.depth=1", "encoder.heads=1", "transform.levels=[-1]"], host)
    modality = build_modality(config, host)
    reader = modality.synthetic(16, 0)
    trained, untrained = (build(config, host, reader.spec(), modality) for _ in range(2))
    fit_tokenizers(trained, reader)
    same_scalers(trained, untrained)
    ours, theirs = (dict(chosen_backbone(config, parts).tokenizer("main").named_buffers()) for parts in (trained, untrained))
    assert ours
    for name, buffer in ours.items():
        torch.testing.assert_close(theirs[name], buffer)


def test_features_do_not_depend_on_the_number_format_of_training() -> None:
    host = discover()
    small = ["encoder.width=16", "encoder.depth=1", "encoder.heads=1", "transform.levels=[-1]", "evaluate.poolings=[mean]"]
    found = []
    for number_format in ("float32", "bf16", "bf16-weights"):
        config = load_config("image", [*small, f"train.precision={number_format}", "train.device=cpu"], host)
        modality = build_modality(config, host)
        reader = modality.synthetic(8, 0)
        parts = build(config, host, reader.spec(), modality)
        found.append(features_of(config, parts, reader, None).train.by_pooling["mean"])
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])
