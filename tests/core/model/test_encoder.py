"""The encoder and the backbone around it: subsets, padding, levels, registers, three ways of leaving tokens out."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from jepakit.contracts import Condition, Encoder, Features, IndexSet
from jepakit.model.backbone import Backbone
from jepakit.model.encoder import EncoderSettings, TransformerEncoder
from jepakit.model.gather import take

CHOSEN = IndexSet(torch.tensor([[1, 4, 7], [0, 2, 9], [3, 5, 8]]), dense=True)


def encoder(**options) -> TransformerEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return TransformerEncoder(EncoderSettings(width=24, depth=3, heads=2, **options), axes=2)


@pytest.fixture
def tokens(make_jepa, make_batch):
    return make_jepa().backbone.tokens(make_batch().streams)["main"]


class KeyMasked(Encoder):
    """The same transformer, but it can only mask keys."""

    caps: ClassVar[frozenset[str]] = frozenset({"key_mask"})

    def __init__(self, inner: TransformerEncoder) -> None:
        super().__init__()
        self.inner, self.width, self.depth = inner, inner.width, inner.depth

    def forward(self, x: Tensor, coords: Tensor, valid: Tensor | None = None, **rest) -> Features:
        return self.inner(x, coords, valid, **rest)


class Convolution(Encoder):
    """A residual convolution on the full grid that never writes into hidden cells."""

    caps: ClassVar[frozenset[str]] = frozenset({"dense_mask"})
    width, depth = 24, 1

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(24, 24, 3, padding=1)

    def forward(self, x: Tensor, coords: Tensor, valid: Tensor | None = None, **rest) -> Features:
        side = int(x.shape[1] ** 0.5)
        grid = x.transpose(1, 2).unflatten(2, (side, side))
        return Features(last=(grid + self.layer(grid)).flatten(2).transpose(1, 2))


@pytest.mark.parametrize("options", [{}, {"positions": "rotary"}, {"registers": 2}])
def test_masking_keys_equals_dropping_tokens(tokens, options) -> None:
    inner = encoder(**options)
    dropped = Backbone({}, inner).encode(tokens, CHOSEN, levels=(1,))
    masked = Backbone({}, KeyMasked(inner)).encode(tokens, CHOSEN, levels=(1,))
    torch.testing.assert_close(masked.last, dropped.last, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(masked.levels[0], dropped.levels[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"registers": 2, "attention": "cross"}])
def test_tokens_that_no_row_has_are_not_computed_and_change_nothing(tokens, options) -> None:
    """Rows of 3, 9 and no valid tokens among 16: the same features there as by masking, from rows of 9."""
    inner = encoder(**options)
    valid = torch.zeros(3, 16, dtype=torch.bool)
    valid[0, [2, 11, 5]], valid[1, 7:] = True, True
    ragged = replace(tokens, valid=valid)
    lengths = []
    inner.blocks[0].register_forward_hook(lambda block, given, made: lengths.append(made.shape[1]))
    packed = Backbone({}, inner).encode(ragged, levels=(1,))
    masked = Backbone({}, KeyMasked(inner)).encode(ragged, levels=(1,))
    assert [length - options.get("registers", 0) for length in lengths] == [9, 16]
    assert torch.equal(packed.valid, valid)
    for ours, theirs in ((packed.last, masked.last), (packed.levels[0], masked.levels[0])):
        torch.testing.assert_close(ours[valid], theirs[valid], rtol=1e-5, atol=1e-5)
        assert ours.isfinite().all()


def test_a_dense_encoder_sees_nothing_of_hidden_cells(tokens) -> None:
    backbone = Backbone({}, Convolution())
    features = backbone.encode(tokens, CHOSEN).last
    changed = tokens.x.clone()
    hidden = torch.ones(3, 16, dtype=torch.bool).scatter_(1, CHOSEN.idx, False)
    changed[hidden] += 7.0
    torch.testing.assert_close(backbone.encode(replace(tokens, x=changed), CHOSEN).last, features)
    assert features.shape == (3, 3, 24)


def test_padded_choices_hide_nothing_in_a_dense_encoder(tokens) -> None:
    """Padding points at token 0 with valid False: it must neither show token 0 nor hide it where it is really chosen."""
    backbone = Backbone({}, Convolution())
    padded = IndexSet(torch.tensor([[1, 4, 0], [0, 2, 0], [3, 5, 0]]), torch.tensor([[True, True, False]] * 3))
    dense = IndexSet(padded.idx[:, :2], dense=True)
    torch.testing.assert_close(backbone.encode(tokens, padded).last[:, :2], backbone.encode(tokens, dense).last)


def test_order_of_tokens_does_not_matter(tokens) -> None:
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    model = encoder()
    straight = model(tokens.x, tokens.coords).last
    mixed = model(tokens.x[:, order], tokens.coords[:, order]).last
    torch.testing.assert_close(mixed, straight[:, order], rtol=1e-5, atol=1e-5)


def test_levels_count_from_both_ends(tokens) -> None:
    features = encoder()(tokens.x, tokens.coords, levels=(0, -1, 2))
    assert torch.equal(features.levels[1], features.levels[2])
    assert not torch.equal(features.levels[0], features.levels[1])


def test_registers_and_condition_are_prefix_and_reach_every_token(tokens) -> None:
    model = encoder(registers=2, condition_width=3)
    plain = model(tokens.x, tokens.coords, condition=Condition(vec=torch.zeros(3, 3)))
    moved = model(tokens.x, tokens.coords, condition=Condition(vec=torch.ones(3, 3)))
    assert plain.prefix is not None
    assert plain.prefix.shape == (3, 3, 24)
    assert plain.last.shape == (3, 16, 24)
    assert ((plain.last - moved.last).abs().sum(-1) > 0).all()


def test_channels_are_told_apart_by_their_table(tokens) -> None:
    model = encoder(channels=4)
    first = model(tokens.x, tokens.coords, channel=tokens.channel).last
    assert not torch.allclose(model(tokens.x, tokens.coords, channel=tokens.channel + 1).last, first)


@pytest.mark.parametrize("options", [{"heads": 5}, {"heads": 8, "positions": "rotary"}])
def test_widths_that_do_not_fit_are_refused(options) -> None:
    with pytest.raises(ValueError, match="width"):
        EncoderSettings(width=24, depth=1, **options)


def test_take_keeps_rows_and_order() -> None:
    x = torch.arange(24).reshape(2, 4, 3)
    found = take(x, IndexSet(torch.tensor([[3, 0], [1, 2]])))
    assert found.tolist() == [x[0, [3, 0]].tolist(), x[1, [1, 2]].tolist()]
