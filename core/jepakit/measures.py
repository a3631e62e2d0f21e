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


def uniformity(z: Tensor, *, t: float = 2.0) -> float:
    """Log of the mean Gaussian potential exp(-t |x - y|²) over pairs of different rows on the unit sphere; the lower, the more even.

    0: all rows point the same way; on a sphere of many dimensions evenly spread rows reach -2 t. Not centred. Rows of zeros are left out.
    Wang and Isola 2020 (arXiv 2005.10242), section 4.1.2, with their t = 2.

    Raises:
        ContractError: if z is not (n >= 2, D).
    """
    z = _matrix(z)
    unit = torch.nn.functional.normalize(z[z.norm(dim=1) > 0], dim=1)
    if len(unit) < 2:
        return 0.0
    return float(torch.pdist(unit).square().mul(-t).exp().mean().log())


def alignment(z: Tensor) -> float:
    """Mean squared distance on the unit sphere between views of one sample, over all pairs of views; 0: views do not matter. z: (n, q, D).

    Wang and Isola 2020 (arXiv 2005.10242), section 4.1.1, with their exponent 2.

    Raises:
        ContractError: if z is not (n >= 1, q >= 2, D).
    """
    if z.ndim != 3 or z.shape[1] < 2:
        raise ContractError(f"alignment needs embeddings (n samples, q >= 2 views, D), not {tuple(z.shape)}.")
    q = z.shape[1]
    unit = torch.nn.functional.normalize(z.detach().double(), dim=2)
    # The mean over pairs of |x - y|² is twice the unbiased variance of the views.
    return float(2 * (unit - unit.mean(1, keepdim=True)).square().sum((1, 2)).mean() / (q - 1))


def gaussianity(z: Tensor, *, slices: int = 256, seed: int = 0) -> float:
    """How far standardised rows are from an isotropic Gaussian: n times the Epps-Pulley statistic, mean over random directions.

    The statistic that SIGReg minimises (LeJEPA, Balestriero and LeCun 2025, arXiv 2511.08544, section 4): the squared distance between
    the characteristic function of z projected on a direction and that of a standard normal, under a standard normal weight on [-3, 3].
    z is centred and divided by the root of its mean variance first, so scale and offset do not count. About 1 for Gaussian rows,
    whatever their number; growing with n for all others.

    Raises:
        ContractError: if z is not (n >= 2, D).
    """
    z = _matrix(z)
    z = z - z.mean(0)
    z = z / z.square().sum(0).div(len(z) - 1).mean().sqrt().clamp_min(torch.finfo(torch.float64).tiny)
    generator = torch.Generator().manual_seed(seed)
    directions = torch.nn.functional.normalize(torch.randn(z.shape[1], slices, generator=generator, dtype=z.dtype), dim=0)
    nodes = torch.linspace(0.0, 3.0, 31, dtype=z.dtype)  # the other half is the same
    normal = (-nodes.square() / 2).exp()
    projected = z @ directions.to(z)
    real = torch.stack([(projected * node).cos().mean(0) for node in nodes]) - normal[:, None]
    imaginary = torch.stack([(projected * node).sin().mean(0) for node in nodes])
    apart = (real.square() + imaginary.square()) * normal[:, None]
    return float(2 * len(z) * torch.trapezoid(apart, nodes, dim=0).mean())


def position_ratio(targets: Tensor, predictions: Tensor, positions: Tensor) -> float | None:
    """Squared error of the predictions over that of the best predictor that knows nothing but the position.

    targets, predictions: (m, D). positions: (m,) int64, any ids. About 1: only the mean of each position was learned, however good
    the loss looks; 0: perfect. The denominator is the unbiased variance within positions, so few targets a position do not
    flatter it; positions met once are left out.

    Returns:
        None when no position occurs twice or targets do not vary within positions.
    """
    targets, predictions = targets.detach().double(), predictions.detach().double()
    variance, repeated = _within(targets, positions)
    error = (predictions - targets).square().sum(1)[repeated].sum()
    scale = targets.square().sum() * torch.finfo(torch.float32).eps ** 2
    return float(error / variance) if variance > scale else None


def content_std(targets: Tensor, positions: Tensor) -> float | None:
    """Spread of targets that the position does not explain: root of the unbiased variance within positions, mean over dimensions.

    targets: (m, D). positions: (m,) int64. A spread over all targets stays high when nothing but position is left in them; this one goes
    to zero. None when no position occurs twice.
    """
    variance, repeated = _within(targets.detach().double(), positions)
    count = int(repeated.sum())
    return float((variance / (count * targets.shape[1])).sqrt()) if count else None


def _within(targets: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Sum over rows and dimensions of the unbiased variance within positions, and which rows share their position with others."""
    _, place, counts = torch.unique(positions, return_inverse=True, return_counts=True)
    sums = targets.new_zeros(len(counts), targets.shape[1]).index_add_(0, place, targets)
    repeated = counts[place] > 1
    apart = (targets - sums[place] / counts[place, None]).square().sum(1)
    return (apart * counts[place] / (counts[place] - 1).clamp_min(1))[repeated].sum(), repeated


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
