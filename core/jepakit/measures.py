"""Numbers that say how much a set of embeddings can tell apart. No labels, no training; the watch and the evaluation share them.

z is (n, D): one embedding a row. Singular values are taken in float64. Conventions differ between papers and change results
several-fold (an offset of 5 takes the uncentred rank of a healthy cloud from 207 to 8), so each function names its own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from jepakit.errors import ContractError


def rankme(z: Tensor, *, centred: bool) -> float:
    """Effective number of directions, 0 to min(n, D): exp of the entropy of the normalised singular values of z.

    RankMe, Garrido et al. 2023 (arXiv 2210.02885), equation 3, where z is not centred. Neither form alone sees every collapse:
    centred, a constant plus tiny noise looks healthy; uncentred, a harmless large mean looks collapsed. 0 means no spread at all.

    Raises:
        ContractError: if z is not (n >= 2, D).
    """
    z = _matrix(z)
    # What is below float32 rounding of the uncentred values is not spread, or an exactly constant set would score its rounding.
    floor = torch.finfo(torch.float32).eps * float(torch.linalg.matrix_norm(z))
    sigma = torch.linalg.svdvals(z - z.mean(0) if centred else z)
    return _effective_number(sigma[sigma > floor])


def per_dim_std(z: Tensor) -> Tensor:
    """(D,) float64: unbiased standard deviation of each dimension over the rows. Raises `ContractError` if z is not (n >= 2, D)."""
    return _matrix(z).std(0)


def mean_cosine(z: Tensor) -> float:
    """Mean cosine over all pairs of different rows, without forming the pairs; 1 = all point the same way. Zero rows are left out.

    Raises:
        ContractError: if z is not (n >= 2, D).
    """
    z = _matrix(z)
    norms = z.norm(dim=1, keepdim=True)
    unit = (z / norms)[norms[:, 0] > 0]
    n = len(unit)
    if n < 2:
        return 1.0  # nothing but zeros: all rows are the same
    return float((unit.sum(0).square().sum() - n) / (n * (n - 1)))


def lidar(z: Tensor, *, delta: float = 1e-4) -> float:
    """Effective number of directions that tell samples apart beyond what separates views of one sample. z: (n, q, D).

    LiDAR, Thilak et al. 2023 (arXiv 2312.04000), section 4: exp of the entropy of the eigenvalues of W^-1/2 B W^-1/2, with B the
    covariance of the samples' means and W the pooled covariance within samples, plus `delta` (the paper's 1e-4) on its diagonal.

    Raises:
        ContractError: if z is not (n >= 2, q >= 2, D).
    """
    if z.ndim != 3 or z.shape[0] < 2 or z.shape[1] < 2:
        raise ContractError(f"LiDAR needs embeddings (n >= 2 samples, q >= 2 views, D), not {tuple(z.shape)}.")
    z = z.detach().double()
    n, q, width = z.shape
    means = z.mean(1)
    between = torch.cov(means.T).reshape(width, width)
    apart = (z - means[:, None]).reshape(n * q, width)
    within = apart.T @ apart / (n * (q - 1)) + delta * torch.eye(width, dtype=z.dtype, device=z.device)
    values, vectors = torch.linalg.eigh(within)
    whiten = vectors * values.rsqrt() @ vectors.T
    return _effective_number(torch.linalg.eigvalsh(whiten @ between @ whiten).clamp_min(0.0))


def alpha_req(z: Tensor, *, first: int = 10, last: int = 99) -> float:
    """Decay of the spectrum: minus the slope of log eigenvalue over log rank, ranks `first` to `last`, weighted by 1 / rank.

    α-ReQ, Agrawal et al. 2022 (NeurIPS), eigenvalues of the centred covariance. About 1 transfers best; it says nothing about a
    collapsed set.

    Raises:
        ContractError: if fewer than three eigenvalues above zero lie in that range.
    """
    z = _matrix(z)
    values = torch.linalg.svdvals(z - z.mean(0)).square() / (len(z) - 1)
    values = values[values > torch.finfo(torch.float32).eps * values[0]][first - 1 : last]
    if len(values) < 3:
        raise ContractError(f"α-ReQ needs at least {first + 2} directions with spread; z {tuple(z.shape)} has fewer.")
    rank = torch.arange(first, first + len(values), dtype=z.dtype, device=z.device)
    weight = (1 / rank) / (1 / rank).sum()
    x, y = rank.log(), values.log()
    x, y = x - (weight * x).sum(), y - (weight * y).sum()
    return -float((weight * x * y).sum() / (weight * x * x).sum())


def position_ratio(targets: Tensor, predictions: Tensor, positions: Tensor) -> float | None:
    """Squared error of the predictions over that of the best predictor that knows nothing but the position.

    targets, predictions: (m, D). positions: (m,) int64, any ids. About 1: only the mean of each position was learned, however good
    the loss looks; 0: perfect. The denominator is the unbiased variance within positions, so few targets a position do not
    flatter it; positions met once are left out.

    Returns:
        None when no position occurs twice or targets do not vary within positions.
    """
    targets, predictions = targets.detach().double(), predictions.detach().double()
    _, place, counts = torch.unique(positions, return_inverse=True, return_counts=True)
    sums = targets.new_zeros(len(counts), targets.shape[1]).index_add_(0, place, targets)
    repeated = counts[place] > 1
    apart = (targets - sums[place] / counts[place, None]).square().sum(1)
    unbiased = (apart * counts[place] / (counts[place] - 1).clamp_min(1))[repeated].sum()
    error = (predictions - targets).square().sum(1)[repeated].sum()
    scale = targets.square().sum() * torch.finfo(torch.float32).eps ** 2
    return float(error / unbiased) if unbiased > scale else None


def _matrix(z: Tensor) -> Tensor:
    if z.ndim != 2 or len(z) < 2:
        raise ContractError(f"embeddings must be (n >= 2, D), not {tuple(z.shape)}.")
    return z.detach().double()


def _effective_number(values: Tensor) -> float:
    """exp of the entropy of non-negative values as shares of their sum; 0 when all are zero."""
    positive = values[values > 0]
    if not len(positive):
        return 0.0
    share = positive / positive.sum()
    return math.exp(-float((share * share.log()).sum()))
