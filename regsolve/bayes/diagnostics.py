"""Whether chains have mixed: rank-normalised split R-hat and effective sample sizes.

Each of m chains of n draws is cut in two. With W the mean variance within and B / n the variance of
the means, var = (n - 1) / n W + B / n, and rho_t from the chains' autocovariances,

    R-hat = sqrt(var / W),    ESS = m n / (1 + 2 sum_t rho_t),

the sum ended by Geyer's initial monotone sequence. Both are taken of the normal scores of the
draws' ranks over all chains; R-hat is the larger of that and the same of |draw - median|.

References
----------
Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021), Rank-normalization, folding, and
localization: an improved R-hat for assessing convergence of MCMC. Geyer (1992), Practical Markov
chain Monte Carlo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import fft, special, stats

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

COLUMNS = 64  # quantities held at a time


def split_rhat(draws: Array) -> Array:
    """R-hat of each quantity, draws (chains, n, q); NaN where one never moves."""
    halves = _halves(draws)
    folded = np.abs(halves - np.median(halves, axis=(0, 1)))
    return np.fmax(_rhat(_scores(halves)), _rhat(_scores(folded)))


def effective_samples(draws: Array) -> Array:
    """Bulk effective sample size of each quantity, draws (chains, n, q)."""
    halves = _halves(draws)
    blocks = [
        _effective(_scores(halves[:, :, j : j + COLUMNS]))
        for j in range(0, halves.shape[2], COLUMNS)
    ]
    return np.concatenate(blocks) if blocks else np.zeros(0)


def _halves(draws: Array) -> Array:
    """Each chain as two, (2 chains, n // 2, q)."""
    half = draws.shape[1] // 2
    if half < 2:
        raise ValueError(f"draws has {draws.shape[1]} a chain: at least 4 are needed")
    return np.concatenate([draws[:, :half], draws[:, -half:]])


def _scores(halves: Array) -> Array:
    """Normal scores of ranks over all chains."""
    flat = halves.reshape(-1, halves.shape[2])
    ranks = stats.rankdata(flat, axis=0)
    return np.asarray(special.ndtri((ranks - 0.375) / (len(flat) + 0.25))).reshape(halves.shape)


def _variances(z: Array) -> tuple[Array, Array]:
    """W and var of each quantity."""
    n = z.shape[1]
    within = z.var(axis=1, ddof=1).mean(axis=0)
    return within, (n - 1) / n * within + z.mean(axis=1).var(axis=0, ddof=1)


def _rhat(z: Array) -> Array:
    within, total = _variances(z)
    ratio = np.divide(total, within, out=np.full_like(total, np.nan), where=within > 0)
    return np.asarray(np.sqrt(ratio))


def _effective(z: Array) -> Array:
    m, n, q = z.shape
    centred = z - z.mean(axis=1, keepdims=True)
    size = fft.next_fast_len(2 * n, real=True)
    power = np.abs(fft.rfft(centred, size, axis=1)) ** 2
    covariance = fft.irfft(power, size, axis=1)[:, :n].mean(axis=0) / n
    within, total = _variances(z)
    out = np.full(q, np.nan)
    moves = within > 0
    rho = 1.0 - (within[moves] - covariance[:, moves]) / total[moves]
    rho[0] = 1.0
    pairs = rho[0 : n - n % 2 : 2] + rho[1 : n + 1 - n % 2 : 2]
    ended = np.minimum.accumulate(pairs > 0.0, axis=0)
    falling = np.minimum.accumulate(np.where(ended, pairs, 0.0), axis=0)
    time = 2.0 * falling.sum(axis=0) - 1.0
    total_draws = m * n
    out[moves] = total_draws / np.maximum(time, 1.0 / np.log10(total_draws))
    return out
