"""Comparing what components return, and what they must leave alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from multiprocessing.reduction import ForkingPickler
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from jepakit import checkpoint
from jepakit.checkpoint.tensors import parse_safetensors, safetensors_pieces
from jepakit.contracts import Sample
from jepakit.errors import CheckpointError
from jepakit.testing.check import Failed, expect

T = TypeVar("T")
Maker = Callable[[], Any] | None
CLOSE = 1e-4
"""Largest difference between two ways to compute the same in float32, relative to the largest value: sums in another order."""
BF16_COSINE = 0.99
"""Least cosine between outputs in bfloat16 (8 bits of mantissa, error about 0.4 % a sum) and float32."""


def rng(*key: int) -> np.random.Generator:
    """A generator keyed by up to two numbers."""
    return np.random.Generator(np.random.Philox(key=[*key, 0, 0][:2]))


def close(ours: Tensor, theirs: Tensor, sentence: str) -> None:
    """`Failed` with the sentence and the difference unless two tensors are the same up to rounding."""
    expect(ours.shape == theirs.shape, f"{sentence}: shapes {tuple(ours.shape)} and {tuple(theirs.shape)} differ")
    if ours.numel():
        gap = float((ours.float() - theirs.float()).abs().max() / theirs.float().abs().max().clamp_min(1.0))
        expect(gap <= CLOSE, f"{sentence} (largest difference {gap:.2g} of the largest value)")


def finite(x: Tensor, what: str) -> None:
    """`Failed` unless all values are finite."""
    expect(bool(torch.isfinite(x).all()), f"{what} holds {int((~torch.isfinite(x)).sum())} values that are not finite")


def shaped(x: Any, shape: tuple[int, ...], what: str) -> None:
    """`Failed` unless `x` is a tensor of this shape."""
    expect(isinstance(x, Tensor), f"{what} must be a tensor, it is a {type(x).__name__}")
    expect(tuple(x.shape) == shape, f"{what} must be {shape}, it is {tuple(x.shape)}")


def same_sample(ours: Sample, theirs: Sample, sentence: str) -> None:
    """`Failed` unless two samples hold the same arrays, id, label and group."""
    arrays = ours.streams.keys() == theirs.streams.keys() and all(
        array.dtype == theirs.streams[name].dtype and np.array_equal(array, theirs.streams[name], equal_nan=array.dtype.kind == "f")
        for name, array in ours.streams.items()
    )
    facts = (ours.id, ours.group) == (theirs.id, theirs.group) and np.array_equal(np.asarray(ours.label), np.asarray(theirs.label))
    expect(arrays and facts, sentence)


def travelled(component: T) -> T:
    """The component after the journey to a data worker that was started anew ("spawn"), in memory."""
    try:
        there: T = ForkingPickler.loads(ForkingPickler.dumps(component))
    except (TypeError, AttributeError, ValueError, RuntimeError, ImportError) as error:
        raise Failed(f"it can't travel to a data worker: {error}") from error
    return there


def random_states() -> tuple[bytes, bytes]:
    """Where the global generators of torch and numpy stand."""
    state: Any = np.random.get_state(legacy=False)["state"]
    return torch.random.get_rng_state().numpy().tobytes(), np.asarray(state["key"]).tobytes() + bytes(str(state["pos"]), "ascii")


@contextlib.contextmanager
def unchanged_globals(who: str) -> Iterator[None]:
    """`Failed` when the global generators or the default dtype are others afterwards."""
    before, dtype = random_states(), torch.get_default_dtype()
    yield
    after = random_states()
    expect(before[0] == after[0], f"{who} draws from torch's global generator; use the one it is given")
    expect(before[1] == after[1], f"{who} draws from numpy's global generator; use the one it is given")
    expect(torch.get_default_dtype() == dtype, f"{who} changes torch's default dtype")


def outputs_survive(module: nn.Module, forward: Any, *, anew: Maker = None, learn: Callable[[Any], None] | None = None) -> None:
    """`Failed` unless all that a module learned is in its checkpoint: written and read back byte for byte, it makes another one its equal.

    forward: module → output. anew: makes the component again, with other random weights, as a run does that loads a checkpoint; left out,
    it is a copy from before it learned. learn: what it learns by beside training, such as `fit`. A checkpoint with a gap is an error.
    """
    other, taught = deepcopy(module) if anew is None else anew(), deepcopy(module)
    with torch.no_grad():
        if learn is not None:
            learn(taught)
        forward(taught.train())  # running statistics
        for number, weight in enumerate(taught.parameters()):
            weight.add_(0.1 * torch.randn(weight.shape, generator=seeded(number)))
    packed = checkpoint.pack_module("it", taught)
    if not packed and learn is None:
        return
    read = parse_safetensors(b"".join(bytes(piece) for piece in safetensors_pieces({n: t.clone() for n, t in packed.items()})))
    checkpoint.unpack_module("it", read, other)
    with torch.no_grad():
        expect(
            torch.equal(forward(taught.eval()), forward(other.eval())), "what it learned is not all in its checkpoint: the output differs"
        )
    if not read:
        return
    read.pop(next(iter(read)))
    try:
        checkpoint.unpack_module("it", read, other)
    except CheckpointError:
        return
    raise Failed("a checkpoint that lacks one of its tensors is accepted")


def bf16_close(module: nn.Module, forward: Any) -> None:
    """`Failed` unless the output under bfloat16 autocast is finite and points where the float32 one does."""
    module.eval()
    with torch.no_grad():
        full = forward(module).float()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = forward(module).float()
    finite(half, "the output in bfloat16")
    cosine = float(nn.functional.cosine_similarity(full.flatten(), half.flatten(), dim=0))
    expect(
        cosine >= BF16_COSINE or float(full.abs().max()) == 0.0, f"in bfloat16 the output has a cosine of {cosine:.3f} with that in float32"
    )


def trains(module: nn.Module, output: Tensor) -> None:
    """`Failed` unless the gradient reaches every trainable parameter, finite."""
    named = [(name, part) for name, part in module.named_parameters() if part.requires_grad]
    if not named:
        return
    expect(output.requires_grad, "its output has no gradient, though it has trainable parameters")
    found = torch.autograd.grad(
        (output.float() * torch.randn(output.shape, generator=seeded())).sum(), [p for _, p in named], allow_unused=True
    )
    for (name, _), gradient in zip(named, found):
        expect(gradient is not None, f"the gradient never reaches '{name}'")
        finite(gradient, f"the gradient of '{name}'")


def seeded(seed: int = 0) -> torch.Generator:
    """A torch generator of its own."""
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal float32."""
    return torch.randn(*shape, generator=seeded(seed))


def same_state(before: Mapping[str, Tensor], module: nn.Module, sentence: str) -> None:
    """`Failed` when a parameter or buffer of the module is not what it was."""
    for name, value in module.state_dict().items():
        expect(torch.equal(before[name], value), f"{sentence}: '{name}' changed")
