"""The untrained row is the same encoder but for its training: it sees inputs on the same scale."""

from __future__ import annotations

import torch

from jepakit.build import build, build_modality, fit_tokenizers
from jepakit.config import load_config
from jepakit.evaluate.run import chosen_backbone, same_scalers
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
