"""Automatic relevance determination: a precision for each weight, by evidence.

    y | w, b ~ N(Xw + b, 1 / (alpha s_i)),   w_j ~ N(0, 1 / lambda_j),   gamma hyperpriors on all;

on the weights kept, D = diag(1 / lambda), MacKay's fixed point is

    Sigma   = (alpha Z'Z + D^{-1})^{-1},    m = alpha Sigma Z'R,    gamma_j = 1 - lambda_j Sigma_jj
    lambda_j = (gamma_j + 2 lambda_1) / (m_j^2 + 2 lambda_2)
    alpha    = (sum s - sum_j gamma_j + 2 alpha_1) / (||R - Zm||^2 + 2 alpha_2),

and a weight whose lambda_j reaches the threshold is left out for good. While no more weights than
rows are kept a pass is a Cholesky factor of Sigma^{-1} and its inverse, from one Z'Z; before that

    M = I / alpha + Z D Z' = L L',    m = D Z' M^{-1} R,    gamma_j = ||L^{-1} Z_j||^2 / lambda_j

costs n^2 kept, and no matrix is kept x kept.

References
----------
Tipping (2001), Sparse Bayesian learning and the relevance vector machine, JMLR 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from .. import _validate
from .._threads import blas_threads
from ..ridge.design import Design, targets
from ..ridge.fit import checked_weight
from .evidence import TINY, Hyperpriors
from .passes import EXACT_FIT
from .posterior import Posterior, Wide

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

EPS = float(np.finfo(np.float64).eps)


@dataclass
class Relevance:
    """Weights, precisions, and which weights were kept."""

    coef: Array
    intercept: float
    alpha: float
    lambdas: Array
    kept: Any
    mean: Array
    n_iter: int
    scores: list[float]
    posterior: Posterior = field(repr=False)


@dataclass
class Pass:
    """What one pass finds for the weights kept."""

    m: Array
    gamma: Array
    log_det: float  # of Sigma^{-1}
    sse: float


def maximise(
    X: Any,
    y: Any,
    priors: Hyperpriors,
    *,
    threshold: float = 1e4,
    sample_weight: Any = None,
    fit_intercept: bool = True,
    tol: float = 1e-3,
    max_iter: int = 300,
    scores: bool = False,
    n_threads: int | None = None,
) -> Relevance:
    """Iterate to sum_j |change of m_j| < tol.

    Parameters
    ----------
    X : array or SciPy sparse matrix, (n, p)
    y : (n,)
    priors : Hyperpriors
    threshold : float
        A weight of this precision or more is left out.
    sample_weight : (n,), optional
        Count as repeated rows.
    scores : bool
        Keep the log evidence of every pass, and of the answer.

    Raises
    ------
    ValueError
        Bad input; the message names the argument.
    """
    checked = _validate.design(X)
    y = _validate.target(y, checked.shape[0])
    weight = checked_weight(sample_weight, checked.shape[0])
    threads = _validate.threads(n_threads)
    with blas_threads(n_threads):
        design = Design(checked, X, weight, fit_intercept, False, threads)
        search = _Search(design, y, priors, threshold)
        search.run(max_iter, tol, scores)
        return search.answer()


class _Search:
    """The iteration; ``kept`` are the features that still take part."""

    def __init__(self, design: Design, y: Array, priors: Hyperpriors, threshold: float) -> None:
        self.design, self.priors, self.threshold = design, priors, threshold
        centred = targets(design, y[:, None])
        self.centre = float(centred.mean[0])
        self.problem = (_Tall if design.n >= design.p else _Dense)(design, centred.R[:, 0])
        mean = float(design.omega @ y)
        self.alpha = 1.0 / (float(design.omega @ (y - mean) ** 2) + EPS)
        self.lambdas = np.ones(design.p)
        self.kept = np.arange(design.p)
        self.m = np.zeros(0)
        self.n_iter = 0
        self.scores: list[float] = []

    def run(self, max_iter: int, tol: float, scores: bool) -> None:
        """Iterate until the weights settle or none is left, then once more for the answer."""
        before: Array | None = None
        for self.n_iter in range(1, max_iter + 1):
            now = self.problem.at(self.alpha, self.lambdas[self.kept])
            if scores:
                self.scores.append(self.log_evidence(now))
            w = self._update(now)
            if before is not None and np.abs(w - before).sum() < tol:
                break
            before = w
            if len(self.kept) == 0:
                break
        last = self.problem.at(self.alpha, self.lambdas[self.kept])
        self.m = last.m
        if scores:
            self.scores.append(self.log_evidence(last))

    def _update(self, now: Pass) -> Array:
        """New precisions, pruned; the pass' weights (p,), zero where pruned."""
        prior = self.priors
        fitted = now.gamma + 2.0 * prior.lambda_1
        lambdas = fitted / np.maximum(now.m**2 + 2.0 * prior.lambda_2, TINY)
        # where rounding took gamma_j below zero the data say nothing about w_j
        lambdas = np.where(fitted > 0.0, lambdas, np.inf)
        self.lambdas[self.kept] = np.minimum(lambdas, 1.0 / TINY)
        total = self.design.total
        degrees = max(total - float(now.gamma.sum()), EPS * total)  # less is rounding
        self.alpha = (degrees + 2.0 * prior.alpha_1) / max(now.sse + 2.0 * prior.alpha_2, TINY)
        stays = self.lambdas[self.kept] < self.threshold
        w = np.zeros(self.design.p)
        w[self.kept[stays]] = now.m[stays]
        if not stays.all():
            self.kept = self.kept[stays]
            self.problem = self.problem.only(stays)
        return w

    def log_evidence(self, now: Pass) -> float:
        """Log marginal likelihood of y at the precisions, plus the hyperpriors of those kept."""
        prior, lambdas, total = self.priors, self.lambdas[self.kept], self.design.total
        log_lambdas = float(np.log(lambdas).sum())
        twice = log_lambdas + total * math.log(self.alpha / (2.0 * math.pi)) - now.log_det
        twice -= self.alpha * now.sse + float(lambdas @ now.m**2)
        score = prior.lambda_1 * log_lambdas - prior.lambda_2 * float(lambdas.sum())
        score += prior.alpha_1 * math.log(self.alpha) - prior.alpha_2 * self.alpha
        return score + 0.5 * twice

    def answer(self) -> Relevance:
        """Weights in X's units and what goes with them."""
        coef = np.zeros(self.design.p)
        coef[self.kept] = self.m
        mean = self.design.mean
        intercept = self.centre - float(mean @ coef) if self.design.fit_intercept else 0.0
        scale = 1.0 / np.sqrt(self.lambdas[self.kept])
        kept = np.zeros(self.design.p, dtype=bool)
        kept[self.kept] = True
        posterior = Posterior(
            self.alpha, 1.0, mean, kept=kept, scale=scale, **self.problem.parts(scale)
        )
        return Relevance(
            coef,
            intercept,
            self.alpha,
            self.lambdas,
            kept,
            mean,
            self.n_iter,
            self.scores,
            posterior,
        )


class _Tall:
    """Passes from S = Z'Z of the features kept."""

    def __init__(self, design: Design, R: Array) -> None:
        S = design.read_gram()
        self._set(S, design.tdot(R[:, None])[:, 0], R)
        self.design: Design | None = design
        self.Z: Array | None = None
        self.kept = np.arange(design.p)

    def _set(self, S: Array, r: Array, R: Array) -> None:
        self.S, self.r, self.R, self.whole = S, r, R, float(R @ R)

    @classmethod
    def of(cls, Z: Array, R: Array) -> _Tall:
        """From Z (n, kept) itself."""
        out = cls.__new__(cls)
        out._set(Z.T @ Z, Z.T @ R, R)
        out.design, out.Z, out.kept = None, Z, np.arange(Z.shape[1])
        return out

    def only(self, stays: Any) -> _Tall:
        """The same for some of the features."""
        self.S, self.r = self.S[np.ix_(stays, stays)], self.r[stays]
        self.kept = self.kept[stays]
        return self

    def at(self, alpha: float, lambdas: Array) -> Pass:
        """m, gamma and the determinant from a factor of Sigma^{-1} with unit diagonal."""
        M = alpha * self.S
        M[np.diag_indices_from(M)] += lambdas
        size = np.sqrt(np.diag(M))
        M /= size
        M /= size[:, None]
        half, log_det = _inverse_root(M)
        half = half / size
        m = alpha * (half.T @ (half @ self.r))
        gamma = 1.0 - lambdas * np.square(half).sum(axis=0)
        sse = self.whole - 2.0 * float(m @ self.r) + float(m @ self.S @ m)
        if sse <= EXACT_FIT * self.whole:
            sse = float(np.square(self.R - self._fitted(m)).sum())
        return Pass(m, gamma, log_det + 2.0 * float(np.log(size).sum()), sse)

    def _fitted(self, m: Array) -> Array:
        if self.design is None:
            assert self.Z is not None
            return np.asarray(self.Z[:, self.kept] @ m)
        w = np.zeros((self.design.p, 1))
        w[self.kept, 0] = m
        return self.design.dot(w)[:, 0]

    def parts(self, scale: Array) -> dict[str, Any]:
        """What a Posterior at lambda = 1 needs."""
        return {"small": self.S * scale * scale[:, None]}


def _inverse_root(M: Array) -> tuple[Array, float]:
    """H with H'H = M^{-1}, and log det M; by eigenvalues where M is singular to rounding."""
    if len(M) == 0:
        return np.zeros((0, 0)), 0.0
    L, info = lapack.dpotrf(M, lower=1)
    if info == 0:
        log_det = 2.0 * float(np.log(np.diag(L)).sum())
        return np.tril(lapack.dtrtri(L, lower=1)[0]), log_det
    values, vectors = linalg.eigh(M, check_finite=False)
    values = np.maximum(values, EPS * len(values) * values[-1])
    return np.asarray((vectors / np.sqrt(values)).T), float(np.log(values).sum())


class _Dense:
    """Passes from Z (n, kept) itself, kept > n."""

    def __init__(self, design: Design, R: Array) -> None:
        Z = np.empty((design.n, design.p), order="F")
        for j, block in design.columns():
            Z[:, j] = block
        self.Z, self.R = Z, R

    def only(self, stays: Any) -> _Dense | _Tall:
        """The same for some of the features; from their Gram matrix once they are few."""
        self.Z = np.asfortranarray(self.Z[:, stays])
        return self if self.Z.shape[1] > len(self.R) else _Tall.of(self.Z, self.R)

    def at(self, alpha: float, lambdas: Array) -> Pass:
        """m, gamma and the determinant from a factor of M."""
        scaled = self.Z / np.sqrt(lambdas)
        M = scaled @ scaled.T
        M[np.diag_indices_from(M)] += max(1.0 / alpha, EPS * float(np.trace(M)))
        L = linalg.cholesky(M, lower=True, overwrite_a=True, check_finite=False)
        right = linalg.cho_solve((L, True), self.R, check_finite=False)
        m = (right @ scaled) / np.sqrt(lambdas)
        inside = linalg.solve_triangular(L, scaled, lower=True, check_finite=False)
        log_det = 2.0 * float(np.log(np.diag(L)).sum()) + len(L) * math.log(alpha)
        log_det += float(np.log(lambdas).sum())
        sse = float(np.square(right / alpha).sum())  # R - Zm = M^{-1} R / alpha
        return Pass(m, np.square(inside).sum(axis=0), log_det, sse)

    def parts(self, scale: Array) -> dict[str, Any]:
        """What a Posterior at lambda = 1 needs."""
        Z = self.Z * scale
        n, kept = Z.shape
        return {"small": Z @ Z.T, "wide": Wide(Z, np.zeros(kept), np.ones(n))}
