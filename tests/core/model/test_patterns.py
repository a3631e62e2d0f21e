"""Patterns of attention: who may ask whom, held against the definition, and seen from outside as what an output depends on."""

from __future__ import annotations

import pytest
import torch

from jepakit.errors import ContractError
from jepakit.model.encoder import EncoderSettings, TransformerEncoder
from jepakit.model.patterns import allowed
from jepakit.model.predictor import TransformerPredictor, TransformerSettings

LEADS, TIMES = 3, 4
CHANNEL = torch.arange(LEADS).repeat_interleave(TIMES)[None].expand(2, -1)
COORDS = torch.arange(TIMES, dtype=torch.float32).repeat(LEADS)[None, :, None].expand(2, -1, -1)
VALID = torch.ones(2, LEADS * TIMES, dtype=torch.bool)
VALID[1, TIMES : 2 * TIMES] = False


def related(pattern: str, one: int, other: int) -> bool:
    same_lead, same_time = one // TIMES == other // TIMES, one % TIMES == other % TIMES
    return same_lead or (pattern == "cross" and same_time)


@pytest.mark.parametrize("pattern", ["cross", "channel"])
@pytest.mark.parametrize("ahead", [0, 2])
def test_the_mask_is_what_the_definition_says(pattern, ahead) -> None:
    mask = allowed(pattern, COORDS, CHANNEL, VALID, ahead=ahead)
    assert mask.shape == (2, 1, ahead + LEADS * TIMES, ahead + LEADS * TIMES)
    for row in range(2):
        for one in range(LEADS * TIMES):
            for other in range(LEADS * TIMES):
                expected = one == other or (related(pattern, one, other) and bool(VALID[row, other]))
                assert mask[row, 0, ahead + one, ahead + other] == expected, (row, one, other)
    assert mask[:, :, :, :ahead].all()  # all see the prefix
    assert torch.equal(mask[:, 0, :ahead, ahead:], VALID[:, None].expand(-1, ahead, -1))  # which sees all that is there


def test_full_is_the_mask_of_keys() -> None:
    assert allowed("full", COORDS, None, None) is None
    assert torch.equal(allowed("full", COORDS, None, VALID), VALID[:, None, None])


def test_a_pattern_without_channels_is_refused() -> None:
    with pytest.raises(ContractError, match="attention 'cross' goes by the channel"):
        allowed("cross", COORDS, None, None)


def test_crossing_without_an_axis_is_refused() -> None:
    with pytest.raises(ContractError, match="goes by the first axis"):
        allowed("cross", COORDS[..., :0], CHANNEL, None)


@pytest.mark.parametrize("pattern", ["full", "cross", "channel"])
def test_one_block_reads_only_what_the_pattern_allows(pattern) -> None:
    """Gradients of one token's output, in rows with a missing lead: what it depends on is exactly what it may ask."""
    torch.manual_seed(0)
    encoder = TransformerEncoder(EncoderSettings(width=16, depth=1, heads=2, attention=pattern), axes=1)
    for row, token in ((0, 5), (1, 2)):
        x = torch.randn(2, LEADS * TIMES, 16, requires_grad=True)
        encoder(x, COORDS, VALID, channel=CHANNEL).last[row, token].square().sum().backward()
        depends = x.grad[row].abs().sum(-1) > 0
        reach = [pattern == "full" or related(pattern, token, other) for other in range(LEADS * TIMES)]
        assert torch.equal(depends, torch.tensor(reach) & VALID[row])
        assert not x.grad[1 - row].any()


def test_rows_without_any_valid_token_stay_finite() -> None:
    encoder = TransformerEncoder(EncoderSettings(width=16, depth=2, heads=2, attention="cross"), axes=1)
    features = encoder(torch.randn(2, LEADS * TIMES, 16), COORDS, torch.zeros_like(VALID), channel=CHANNEL)
    assert features.last.isfinite().all()


@pytest.mark.parametrize("groups", [None, torch.tensor([[0, 0, 1]])])
def test_a_predictor_by_channel_predicts_each_lead_from_its_own(groups) -> None:
    torch.manual_seed(0)
    predictor = TransformerPredictor(TransformerSettings(width=16, depth=2, heads=2, attention="channel"), context_width=8, target_width=8)
    context = torch.randn(1, 6, 8, requires_grad=True)
    of_context, of_queries = torch.tensor([[0, 0, 1, 1, 2, 2]]), torch.tensor([[0, 1, 2]])
    places = torch.tensor([[[0.0], [1.0]]]).repeat(1, 3, 1)
    out = predictor(
        context, places, None, torch.full((1, 3, 1), 2.0), None, query_group=groups, context_channel=of_context, query_channel=of_queries
    )
    out[0, 1].square().sum().backward()
    assert (context.grad[0].abs().sum(-1) > 0).tolist() == [False, False, True, True, False, False]
