"""How likely a sample is under what an encoder learned, from the encoder's Jacobian alone: no labels, no density model.

An encoder whose embeddings are spread evenly has to spend volume where the data is: it stretches the input space most around samples
it saw often. So the log-volume of its Jacobian J at x is, up to a constant, the log-density of x:

    score(x) = sum of log singular values of J(x) = 1/2 log det (J Jᵀ)

Source: Gaussian Embeddings: How JEPAs Secretly Learn Your Data Density, Balestriero et al. 2025 (arXiv 2510.05949), section 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from jepakit.errors import ContractError

FLOOR = 1e-6
"""Singular values below this share of the largest count as this share: a direction the encoder does not see at all, and rounding,
would otherwise decide the score. Single precision resolves 1e-7."""
EXACT_WIDTH = 512
"""Embeddings up to this wide are scored exactly: as many backward passes as they are wide, all samples at once."""
KRYLOV = 24
"""Lanczos steps of the estimate; measured: its bias is far below the spread of the probes for spectra as flat as these."""

Encode = Callable[[Tensor], Tensor]
"""Continuous input (B, ...) → embeddings (B, D), each row a function of its own input only."""


@dataclass(frozen=True)
class Scores:
    """score: (B,) float64, higher = more typical. error: (B,) float64, standard error of an estimate, 0 where exact."""

    score: Tensor
    error: Tensor


def exact_scores(encode: Encode, x: Tensor) -> Scores:
    """Scores from the whole Jacobian, one backward pass an embedding dimension. x: (B, ...) floating point.

    Raises:
        ContractError: if embeddings are not (B, D), or do not depend on x.
    """
    x = x.detach().requires_grad_()
    z = embedded(encode, x)
    rows = [pulled_back(z, x, direction, keep=True) for direction in torch.eye(z.shape[1], dtype=z.dtype, device=z.device)]
    jacobian = torch.stack(rows, dim=1).flatten(2).double()
    eigenvalues = torch.linalg.eigvalsh(jacobian @ jacobian.transpose(1, 2))
    return Scores(half_log_volume(eigenvalues), x.new_zeros(len(x), dtype=torch.float64))


def half_log_volume(eigenvalues: Tensor) -> Tensor:
    """1/2 sum log of (B, D) eigenvalues of J Jᵀ, with the floor on singular values."""
    largest = eigenvalues.amax(1, keepdim=True)
    return 0.5 * eigenvalues.clamp_min(largest * FLOOR**2).clamp_min(torch.finfo(torch.float64).tiny).log().sum(1)


def estimated_scores(encode: Encode, x: Tensor, *, probes: int, generator: torch.Generator) -> Scores:
    """Scores by stochastic Lanczos quadrature: trace log (J Jᵀ) from `probes` random sign vectors, for embeddings too wide to do exactly.

    A product with J Jᵀ is one backward pass and the derivative of one, so the cost is 2 * KRYLOV passes a probe whatever the width.
    error is the standard error over probes. Source: Ubaru, Chen and Saad 2017, SIAM J. Matrix Anal. 38(4), section 3.

    Raises:
        ContractError: as `exact_scores`, and for fewer than two probes.
    """
    if probes < 2:
        raise ContractError(f"an estimate needs at least 2 probes to know its error, got {probes}")
    x = x.detach().requires_grad_()
    z = embedded(encode, x)
    signs = torch.randint(0, 2, (probes, z.shape[1]), generator=generator).mul(2).sub(1).to(z)
    drawn = torch.stack([0.5 * z.shape[1] * _quadrature(z, x, sign.expand_as(z)) for sign in signs])
    return Scores(drawn.mean(0), drawn.std(0) / math.sqrt(probes))


def embedded(encode: Encode, x: Tensor) -> Tensor:
    """(B, D) embeddings of x with their graph."""
    z = encode(x)
    if z.ndim != 2 or len(z) != len(x):
        raise ContractError(f"scores need one embedding a sample, got {tuple(z.shape)} for {len(x)} samples")
    if not z.requires_grad:
        raise ContractError("the embeddings do not depend on the input; is it made under no_grad, or constant?")
    return z


def pulled_back(z: Tensor, x: Tensor, direction: Tensor, *, keep: bool) -> Tensor:
    """Jᵀ direction for every sample, in the shape of x."""
    (grad,) = torch.autograd.grad(z, x, direction.expand_as(z), retain_graph=keep, create_graph=False)
    return grad


def _quadrature(z: Tensor, x: Tensor, start: Tensor) -> Tensor:
    """(B,) vᵀ log(J Jᵀ) v for unit v along `start`: Lanczos with full reorthogonalisation, then Gauss quadrature on its small matrix."""
    carrier = torch.zeros_like(z, requires_grad=True)
    (back,) = torch.autograd.grad(z, x, carrier, create_graph=True)  # linear in carrier: its derivative is J

    def product(v: Tensor) -> Tensor:
        (there,) = torch.autograd.grad(z, x, v.to(z.dtype), retain_graph=True)
        (again,) = torch.autograd.grad(back, carrier, there, retain_graph=True)
        return again.double()

    basis = [start.double() / start.double().norm(dim=1, keepdim=True)]
    alphas, betas = [], []
    for _ in range(min(KRYLOV, z.shape[1])):
        w = product(basis[-1])
        alphas.append((w * basis[-1]).sum(1))
        known = torch.stack(basis, dim=1)
        for _ in range(2):
            w = w - torch.einsum("bkd,bk->bd", known, torch.einsum("bkd,bd->bk", known, w))
        betas.append(w.norm(dim=1))
        basis.append(w / betas[-1].clamp_min(torch.finfo(torch.float64).tiny)[:, None])
    inner = torch.diag_embed(torch.stack(alphas, 1))
    if len(alphas) > 1:
        side = torch.diag_embed(torch.stack(betas[:-1], 1), offset=1)
        inner = inner + side + side.transpose(1, 2)
    values, vectors = torch.linalg.eigh(inner)
    floor = values.amax(1, keepdim=True) * FLOOR**2
    return (vectors[:, 0].square() * values.clamp_min(floor).clamp_min(torch.finfo(torch.float64).tiny).log()).sum(1)
