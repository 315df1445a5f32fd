"""Gibbs samplers of sparse Bayesian regression: chains in threads, seeds, stops within a moment.

    y | w, b, sigma^2 ~ N(Xw + b, sigma^2 / s_i),    b flat,    p(sigma^2) ~ 1 / sigma^2
    lasso      p(w | sigma) = prod_j lambda / (2 sigma) exp(-lambda |w_j| / sigma)
    horseshoe  w_j | sigma ~ N(0, sigma^2 tau^2 l_j^2),    l_j, tau / t half-Cauchy

The compiled steps, and their sources, are in :mod:`regsolve.bayes.kernels`; compiling takes some
seconds once a machine.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _validate
from .._threads import one_thread_blas
from ..ridge.design import Design, targets
from ..ridge.fit import checked_weight
from .units import Units, column_unit, scale_columns, target_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

GRAM_UP_TO = 256  # features for which X'X is the smaller task whatever n
CHUNK_SECONDS = 0.05  # between looks at Ctrl-C
CHUNK_NUMBERS = 1 << 19  # of iterations, most of which are thrown away
SWEEPS_PER_ROW, MOST_SWEEPS = 20, 16  # min(n, p) / 20 sweeps take about the time of a block


@dataclass(frozen=True)
class Hyperparameters:
    """What is fixed beforehand.

    prior : "lasso" or "horseshoe"
    strength : lambda (lasso) or tau (horseshoe) where fixed, else None
    shape, rate : lambda^2 ~ Gamma(shape, rate) (lasso); shape is t (horseshoe)
    a0, b0 : 1 / sigma^2 ~ Gamma(a0, b0); zero for the flat prior on log sigma
    sweeps : sweeps between blocks; None: as many as take a block's time
    """

    prior: str = "lasso"
    strength: float | None = None
    shape: float = 1.0
    rate: float = 1.0
    a0: float = 0.0
    b0: float = 0.0
    sweeps: int | None = None


@dataclass(frozen=True)
class Draws:
    """Draws of all chains, and what turns them into predictions."""

    w: Array  # (chains, draws, p)
    intercept: Array  # (chains, draws)
    noise: Array  # sigma^2 (chains, draws)
    strength: Array  # lambda or tau (chains, draws)
    seconds: float


class Chain:
    """One chain: ``advance`` goes on from where it is."""

    def __init__(self, data: Any, hyper: Hyperparameters, rng: np.random.Generator) -> None:
        from . import kernels

        self.run, self.rng, self.data = kernels.run, rng, data
        p, n = len(data.r), len(data.R)
        lasso = hyper.prior == "lasso"
        fixed = hyper.strength is not None
        smaller = min(p, n) if n else p
        sweeps = min(smaller // SWEEPS_PER_ROW, MOST_SWEEPS)
        self.prior = kernels.Prior(
            kernels.LASSO if lasso else kernels.HORSESHOE,
            float(hyper.a0),
            float(hyper.b0),
            0.0 if fixed else float(hyper.shape),
            float(hyper.rate),
            max(1, sweeps) if hyper.sweeps is None else int(hyper.sweeps),
        )
        strength = 1.0 if hyper.strength is None else float(hyper.strength)
        variance = max(data.square / max(data.total, 1.0), 1e-300)
        # the auxiliary of tau^2 starts at its mode given tau = shape
        other = 1.0 if lasso or fixed else float(hyper.shape) ** -2
        start = np.array([variance, strength if lasso else strength**2, other, 0.0])
        self.state = kernels.State(
            np.zeros(p), rng.standard_exponential(p) + 0.01, np.ones((2, p)), start
        )
        k = p if data.gram else n
        self.work = kernels.Work(
            np.empty((k, k)),
            np.empty((0, 0) if data.gram else (p, n)),
            np.empty(k),
            np.empty(k),
            np.frombuffer(b"LN", dtype=np.uint8).copy(),
            np.zeros(4, dtype=np.int32),
            np.array([1.0, 0.0]),
            kernels.blas_addresses(),
        )

    def advance(self, draws: Array, kept: Array) -> None:
        """Fill ``draws`` (m, p) and ``kept`` (m, 2).

        Raises
        ------
        ValueError
            X'X + D^{-1} has no Cholesky factor, or a draw is beyond float64: values of X, or
            of the prior, too far apart.
        """
        if not self.run(self.data, self.prior, self.state, self.work, self.rng, draws, kept):
            raise ValueError(
                "X has columns too far apart in size for the sampler, or the prior's parameters "
                "are too far from those of X: rescale them"
            )


def likelihood(Z: Array, R: Array, total: float, gram: bool) -> Any:
    """The data of a chain from Z (n, p) and R (n,), as kept in float64."""
    from . import kernels

    empty = np.empty((0, 0))
    if gram:
        G = np.ascontiguousarray(Z.T @ Z)
        return _data(G, Z.T @ R, float(R @ R), total)
    Zt = np.ascontiguousarray(Z.T)
    own = np.square(Zt).sum(axis=1)
    return kernels.Data(False, Zt, empty, np.ascontiguousarray(R), Zt @ R, own, float(R @ R), total)


def _data(G: Array, r: Array, square: float, total: float) -> Any:
    from . import kernels

    G, r = np.ascontiguousarray(G), np.ascontiguousarray(r)
    own = np.diag(G).copy()
    return kernels.Data(True, np.empty((0, 0)), G, np.empty(0), r, own, square, total)


def sample(
    X: Any,
    y: Any,
    hyper: Hyperparameters,
    *,
    n_chains: int = 4,
    n_warmup: int = 500,
    n_draws: int = 1000,
    thin: int = 1,
    sample_weight: Any = None,
    fit_intercept: bool = True,
    seed: Any = None,
    n_threads: int | None = None,
) -> tuple[Draws, Array]:
    """Draws of all chains, and the means of X's columns.

    Parameters
    ----------
    X : array or SciPy sparse matrix, (n, p)
    y : (n,)
    hyper : Hyperparameters
    sample_weight : (n,), optional
        Count as repeated rows.
    seed : int or numpy.random.SeedSequence
        Each chain has a stream of its own; the draws do not depend on ``n_threads``.

    Raises
    ------
    ValueError
        Bad input, or numbers whose squares float64 does not hold; the message names the argument.
    KeyboardInterrupt
        Within a moment of Ctrl-C, except inside one iteration.
    """
    start = time.perf_counter()
    checked = _validate.design(X)
    y = _validate.target(y, checked.shape[0])
    threads = _validate.threads(n_threads)
    weight = checked_weight(sample_weight, checked.shape[0])
    design = Design(checked, X, weight, fit_intercept, False, threads)
    if not design.total > float(fit_intercept):
        raise ValueError(
            f"sample_weight sums to {design.total:g}: rows of that weight tell nothing of sigma"
        )
    unit = target_unit(y)
    centred = targets(design, y[:, None] / unit)
    data = _from_design(design, centred.R[:, 0])
    units = Units(unit, column_unit(data.own))
    data, hyper = scale_columns(data, units.column), units.prior(hyper)
    sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    rngs = [np.random.Generator(np.random.PCG64(child)) for child in sequence.spawn(n_chains)]
    chains = [Chain(data, hyper, rng) for rng in rngs]
    with one_thread_blas():
        found = _all(chains, design.p, n_warmup, n_draws, thin, threads)
    w = units.weights(np.stack([one[0] for one in found]))
    kept = np.stack([one[1] for one in found])
    sigma2 = units.noise(kept[:, :, 0])
    intercept = np.zeros(w.shape[:2])
    if fit_intercept:
        noise = np.stack([rng.standard_normal(n_draws) for rng in rngs])
        intercept = unit * centred.mean[0] - w @ design.mean
        intercept += noise * np.sqrt(sigma2 / design.total)
    strength = units.strength(kept[:, :, 1], hyper.prior)
    draws = Draws(w, intercept, sigma2, strength, time.perf_counter() - start)
    return draws, design.mean


def _from_design(design: Design, R: Array) -> Any:
    total = design.total - float(design.fit_intercept)
    if design.p <= max(design.n, GRAM_UP_TO):
        G = design.read_gram()
        return _data(G, design.tdot(R[:, None])[:, 0], float(R @ R), total)
    Z = np.empty((design.n, design.p), order="F")
    for j, block in design.columns():
        Z[:, j] = block
    return likelihood(Z, R, total, gram=False)


def _all(
    chains: list[Chain], p: int, n_warmup: int, n_draws: int, thin: int, threads: int
) -> list[tuple[Array, Array]]:
    """Run the chains in threads; a stop by the user ends them all."""
    stop = threading.Event()

    def one(chain: Chain) -> tuple[Array, Array]:
        _iterate(chain, p, 1, n_warmup, stop)  # the last draw of the warm-up, of which none counts
        return _iterate(chain, p, n_draws, thin, stop)

    with ThreadPoolExecutor(max(1, min(threads, len(chains)))) as pool:
        futures = [pool.submit(one, chain) for chain in chains]
        try:
            return [future.result() for future in futures]
        except BaseException:
            stop.set()
            raise


def _iterate(chain: Chain, p: int, n: int, thin: int, stop: threading.Event) -> tuple[Array, Array]:
    """N draws, each the last of ``thin`` iterations, in chunks that Ctrl-C can end.

    Where draws are thrown away, all iterations go through one buffer of a bounded size.
    """
    draws, kept = np.empty((n, p)), np.empty((n, 2))
    total = n * thin
    most = n if thin == 1 else min(total, max(1, CHUNK_NUMBERS // max(1, p)))
    every = (draws, kept) if thin == 1 else (np.empty((most, p)), np.empty((most, 2)))
    done, chunk = 0, 1  # iterations
    while done < total and not stop.is_set():
        m = min(chunk, total - done, most)
        at = done if thin == 1 else 0
        w, s = (part[at : at + m] for part in every)
        start = time.perf_counter()
        chain.advance(w, s)
        if thin > 1:
            first, last = done // thin, (done + m) // thin
            draws[first:last] = w[(first + 1) * thin - 1 - done :: thin]
            kept[first:last] = s[(first + 1) * thin - 1 - done :: thin]
        done += m
        seconds = max(time.perf_counter() - start, 1e-6) / m
        chunk = max(1, min(int(CHUNK_SECONDS / seconds), 4 * chunk))
    return draws, kept
