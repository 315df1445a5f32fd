"""Evidence maximisation for ridge regression from one factorisation.

    y | w, b ~ N(Xw + b, 1 / (alpha s_i)),   w ~ N(0, I / lambda),
    alpha ~ Gamma(alpha_1, alpha_2),   lambda ~ Gamma(lambda_1, lambda_2);

with a = lambda / alpha, Z and R the weighted and centred X and y, and L_k the eigenvalues of Z'Z,
the mean of w is m(a) = (Z'Z + a I)^{-1} Z'R and MacKay's fixed point is

    gamma  = sum_k L_k / (L_k + a),
    lambda = (gamma + 2 lambda_1) / (||m||^2 + 2 lambda_2),
    alpha  = (sum s - gamma + 2 alpha_1) / (||R - Zm||^2 + 2 alpha_2).

From k = min(n, p) = 1000 the spectrum costs more than the few Cholesky factors that a root of
h(x) = log lambda(a) - log alpha(a) - x, x = log a, needs. The first step is Newton's; the later
ones are inverse interpolation through the passes so far, whose last two orders tell how far it may
be trusted.

References
----------
MacKay (1992), Bayesian interpolation, Neural Computation 4. Tipping (2001), Sparse Bayesian
learning and the relevance vector machine, JMLR 1, appendix A.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ridge import direct
from ..ridge.factors import EPS, Cholesky
from ..ridge.fit import Fitted, fit_ridge
from .passes import FactorView, Moments, SpectrumView, View, design_and_targets
from .posterior import Posterior

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Integers = NDArray[np.intp]

FACTORS_FROM = 1000  # k from which a few Cholesky factors are quicker than the spectrum
LONGEST, FLATTEST = 3.0, 0.02  # step in log a, and slope of h that interpolation may trust
TINY, HUGE = 1e-300, 1e300


@dataclass(frozen=True)
class Hyperpriors:
    """Gamma(shape, rate) on the precisions of noise and weights."""

    alpha_1: float = 1e-6
    alpha_2: float = 1e-6
    lambda_1: float = 1e-6
    lambda_2: float = 1e-6


@dataclass
class Maximum:
    """Where the evidence is largest, and the ridge fit there."""

    alpha: float
    lambda_: float
    n_iter: int
    scores: list[float]
    fitted: Fitted
    posterior: Posterior = field(repr=False)


def maximise(
    X: Any,
    y: Any,
    priors: Hyperpriors,
    *,
    alpha: float | None = None,
    lambda_: float | None = None,
    sample_weight: Any = None,
    fit_intercept: bool = True,
    tol: float = 1e-3,
    max_iter: int = 300,
    scores: bool = False,
    copy: bool = True,
    n_threads: int | None = None,
) -> Maximum:
    """MacKay's iteration to sum_j |change of m_j| < tol, then the ridge fit at lambda / alpha.

    Parameters
    ----------
    X : array or SciPy sparse matrix, (n, p)
    y : (n,)
    priors : Hyperpriors
    alpha, lambda_ : float, optional
        Where to start; 1 / variance of y, and 1.
    sample_weight : (n,), optional
        Count as repeated rows.
    scores : bool
        Keep the log evidence of every pass.
    copy : bool
        For n < p the covariance is formed from X when asked: from a copy, or from X itself.

    Raises
    ------
    ValueError
        Bad input; the message names the argument.
    """
    found: list[_Search] = []

    def pick(solver: direct.Solver) -> tuple[Array, Integers]:
        search = _Search(solver, priors, alpha, lambda_, tol)
        search.run(max_iter, scores)
        found[:] = [search]
        return np.array([search.a]), np.zeros(1, dtype=np.intp)

    n, p = np.shape(X)
    fitted = fit_ridge(
        X,
        np.asarray(y, dtype=np.float64)[:, None],
        None,
        pick=pick,
        sample_weight=sample_weight,
        fit_intercept=fit_intercept,
        solver="cholesky" if min(n, p) >= FACTORS_FROM else "eigen",
        n_threads=n_threads,
    )
    search = found[0]
    posterior = search.view.posterior(search.alpha, search.lambda_)
    if copy and posterior.wide is not None:
        posterior.wide.keep_a_copy()
    return Maximum(search.alpha, search.lambda_, search.n_iter, search.scores, fitted, posterior)


class _Search:
    """The iteration on one factorised problem."""

    def __init__(
        self,
        solver: Any,
        priors: Hyperpriors,
        alpha: float | None,
        lambda_: float | None,
        tol: float,
    ) -> None:
        self.priors, self.tol = priors, tol
        self.by_factors = isinstance(getattr(solver, "factor", None), Cholesky)
        self.view: View = FactorView(solver) if self.by_factors else SpectrumView(solver)
        design, targets = design_and_targets(solver)
        self.total, self.p = design.total, design.p
        mean = float(design.omega @ targets.Y[:, 0])
        variance = float(design.omega @ (targets.Y[:, 0] - mean) ** 2)
        self.alpha = 1.0 / (variance + np.finfo(float).eps) if alpha is None else alpha
        self.lambda_ = 1.0 if lambda_ is None else lambda_
        if isinstance(self.view, FactorView) and alpha is None and lambda_ is None:
            self.lambda_ = self.alpha * self.view.guess(self.a)
        self.passed: list[tuple[float, float, float]] = []  # h(x), x, log alpha
        self.first: Moments | None = None  # of the first pass
        self.n_iter = 0
        self.scores: list[float] = []

    @property
    def a(self) -> float:
        """Lambda / alpha, > 0."""
        return min(max(self.lambda_ / max(self.alpha, TINY), TINY), HUGE)

    def run(self, max_iter: int, scores: bool) -> None:
        """Iterate; scores are those before each pass, and the last."""
        before: Array | None = None
        for self.n_iter in range(1, max_iter + 1):
            x = math.log(self.a)
            now = self.view.at(self.a, last=self.n_iter == max_iter)
            if now.first_gamma is not None and self.first is not None:
                self._correct(replace(self.first, gamma=now.first_gamma))
            if scores:
                self.scores.append(self.log_evidence(now))
            self._update(now)
            change = None if before is None else now.c - before
            if change is not None and self._settled(change):
                break
            if self.by_factors and self.n_iter < max_iter and self._leap(x, now, change):
                break
            before = now.c
        self.view.check(self.a)
        if scores:
            self.scores.append(self.log_evidence(self.view.at(self.a)))

    def _update(self, now: Moments) -> None:
        prior = self.priors
        self.lambda_ = (now.gamma + 2.0 * prior.lambda_1) / max(
            now.square + 2.0 * prior.lambda_2, TINY
        )
        degrees = max(self.total - now.gamma, EPS * self.total)  # less is rounding
        self.alpha = (degrees + 2.0 * prior.alpha_1) / max(now.sse + 2.0 * prior.alpha_2, TINY)

    def _correct(self, first: Moments) -> None:
        """The first pass again, with the gamma that is known by now."""
        alpha, lambda_, x = self.alpha, self.lambda_, self.passed[0][1]
        self._update(first)
        self.passed[0] = (math.log(self.a) - x, x, math.log(self.alpha))
        self.alpha, self.lambda_ = alpha, lambda_

    def _leap(self, x: float, now: Moments, change: Array | None) -> bool:
        """Place log a at the root of h as the passes tell it; True where it needs no other pass."""
        h = math.log(self.a) - x
        if not self.passed:
            self.first = now
        self.passed.append((h, x, math.log(self.alpha)))
        h0, x0, _ = self.passed[-2] if change is not None else self.passed[-1]
        slope = (h - h0) / (x - x0) if x != x0 else self._slope(now)
        if slope > -FLATTEST:
            return False  # MacKay's own step
        step = -h / slope
        points, doubt = self.passed[-4:], step
        root = _through([p[:2] for p in points], 0.0)
        if change is not None and abs(root - x - step) <= 0.5 * abs(step):
            doubt = root - x - step if len(points) > 2 else step
            step = root - x
        step = min(max(step, -LONGEST), LONGEST)
        if change is not None and self._settled(2.0 * doubt / (x - x0) * change):
            log_alpha = _through([p[1:] for p in points], x + step)
            if abs(log_alpha - math.log(self.alpha)) <= abs(step):
                self.alpha = math.exp(log_alpha)
                self.lambda_ = self.alpha * math.exp(x + step)
                return True
        self.lambda_ = self.alpha * math.exp(x + step)
        return False

    def _slope(self, now: Moments) -> float:
        """Dh / dx."""
        prior = self.priors
        assert now.change is not None
        gamma, square, sse = now.change
        own = gamma / (now.gamma + 2.0 * prior.lambda_1)
        own -= square / max(now.square + 2.0 * prior.lambda_2, TINY)
        noise = -gamma / max(self.total - now.gamma + 2.0 * prior.alpha_1, TINY)
        noise -= sse / max(now.sse + 2.0 * prior.alpha_2, TINY)
        return float(own - noise - 1.0)

    def _settled(self, change: Array) -> bool:
        """sum_j |dm_j| < tol; the lengths ||dm||_2 <= ||dm||_1 <= sqrt(p) ||dm||_2 decide first."""
        length = self.view.length(change)
        if math.sqrt(self.p) * length < self.tol:
            return True
        if length >= self.tol:
            return False
        return float(np.abs(self.view.coefficients(change)).sum()) < self.tol

    def log_evidence(self, now: Moments) -> float:
        """Log marginal likelihood of y at alpha and lambda, plus the log hyperpriors."""
        prior, alpha, lambda_ = self.priors, max(self.alpha, TINY), max(self.lambda_, TINY)
        twice = now.count * math.log(lambda_) + self.total * math.log(alpha / (2.0 * math.pi))
        twice -= alpha * now.sse + lambda_ * now.square
        twice -= now.count * math.log(alpha) + now.log_det
        score = prior.lambda_1 * math.log(lambda_) - prior.lambda_2 * lambda_
        score += prior.alpha_1 * math.log(alpha) - prior.alpha_2 * alpha
        return float(score + 0.5 * twice)


def _through(points: list[tuple[float, float]], at: float) -> float:
    """Value at a place of the polynomial through (place, value), Neville; NaN if places repeat."""
    places = [point[0] for point in points]
    values = [point[1] for point in points]
    if len(set(places)) < len(places):
        return math.nan
    for step in range(1, len(values)):
        for i in range(len(values) - step):
            left, right = places[i], places[i + step]
            rise = (at - left) * values[i + 1] - (at - right) * values[i]
            values[i] = rise / (right - left)
    return values[0]
