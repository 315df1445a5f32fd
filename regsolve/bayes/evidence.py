"""Evidence maximisation for ridge regression from one factorisation.

    y | w, b ~ N(Xw + b, 1 / (alpha s_i)),   w ~ N(0, I / lambda),
    alpha ~ Gamma(alpha_1, alpha_2),   lambda ~ Gamma(lambda_1, lambda_2);

with a = lambda / alpha, Z and R the weighted and centred X and y, and L_k the eigenvalues of Z'Z,
the mean of w is m(a) = (Z'Z + a I)^{-1} Z'R and MacKay's fixed point is

    gamma  = sum_k L_k / (L_k + a),
    lambda = (gamma + 2 lambda_1) / (||m||^2 + 2 lambda_2),
    alpha  = (sum s - gamma + 2 alpha_1) / (||R - Zm||^2 + 2 alpha_2).

A pass costs O(k), k = min(n, p), from the spectrum. From k = 1000 the spectrum costs more than the
few Cholesky factors that a root of h(x) = log lambda(a) - log alpha(a) - x, x = log a, needs: gamma
is k - a ||R^{-1}||_F^2. The first step is Newton's, with tr (Z'Z + a I)^{-1} and its square from
random probes, which the second pass then corrects by what the same probes say there; the later ones
are inverse interpolation through the passes so far, whose last two orders tell how far it may be
trusted; they start where moments of R place

    a:    E ||R||^2   = df / alpha + tr(Z'Z) / lambda,
          E ||Z'R||^2 = tr(Z'Z) / alpha + ||Z'Z||_F^2 / lambda.

References
----------
MacKay (1992), Bayesian interpolation, Neural Computation 4. Tipping (2001), Sparse Bayesian
learning and the relevance vector machine, JMLR 1, appendix A.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy.linalg import lapack

from .. import _core
from ..ridge import direct
from ..ridge.criteria import Criteria
from ..ridge.factors import Breakdown, Cholesky, conditions
from ..ridge.fit import Fitted, fit_ridge
from .posterior import Posterior, Wide

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Integers = NDArray[np.intp]

FACTORS_FROM = 1000  # k from which a few Cholesky factors are quicker than the spectrum
PROBES = 16
LONGEST, FLATTEST = 3.0, 0.02  # step in log a, and slope of h that interpolation may trust
TINY, HUGE = 1e-300, 1e300
EXACT_FIT = 1e-7  # share of ||R||^2 below which its residual is taken from X


@dataclass(frozen=True)
class Hyperpriors:
    """Gamma(shape, rate) on the precisions of noise and weights."""

    alpha_1: float = 1e-6
    alpha_2: float = 1e-6
    lambda_1: float = 1e-6
    lambda_2: float = 1e-6


@dataclass(frozen=True)
class Moments:
    """What a pass asks at a = lambda / alpha."""

    c: Array  # the mean in the factor's basis
    gamma: float
    log_det: float  # sum_k log(L_k + a) over the k eigenvalues counted
    count: int  # k
    square: float  # ||m||^2
    sse: float  # ||R - Zm||^2
    change: tuple[float, float, float] | None = None  # of gamma, square and sse with log a
    first_gamma: float | None = None  # of the pass before, which had it from probes


class View(Protocol):
    """A factorised problem seen from its own basis."""

    def at(self, a: float, last: bool = False) -> Moments:
        """Everything at a; exact where no other pass will correct it."""

    def length(self, change: Array) -> float:
        """||dm||_2 of a change of c."""

    def coefficients(self, c: Array) -> Array:
        """M (p,) in X's units."""

    def check(self, a: float) -> None:
        """Raise Breakdown where a is too small for the normal equations."""

    def posterior(self, alpha: float, lambda_: float) -> Posterior:
        """The covariance, formed when asked."""


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
        self.view: View = _FactorView(solver) if self.by_factors else _SpectrumView(solver)
        design, targets = _problem(solver)
        self.total, self.p = design.total, design.p
        mean = float(design.omega @ targets.Y[:, 0])
        variance = float(design.omega @ (targets.Y[:, 0] - mean) ** 2)
        self.alpha = 1.0 / (variance + np.finfo(float).eps) if alpha is None else alpha
        self.lambda_ = 1.0 if lambda_ is None else lambda_
        if isinstance(self.view, _FactorView) and alpha is None and lambda_ is None:
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
        self.alpha = (self.total - now.gamma + 2.0 * prior.alpha_1) / max(
            now.sse + 2.0 * prior.alpha_2, TINY
        )

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


def _problem(solver: Any) -> tuple[Any, Any]:
    problem = getattr(solver, "problem", solver)
    return problem.design, problem.targets


def _wide(design: Any) -> Wide:
    return Wide(design.X, design.mean, design.root)


class _SpectrumView:
    """c in the eigenbasis."""

    def __init__(self, solver: Any) -> None:
        self.criteria: Criteria = solver.criteria()
        self.design, self.targets = _problem(solver)
        self.precise = not hasattr(solver, "problem")
        self.primal = self.criteria.primal
        spectrum = self.criteria.spectrum
        self.L, self.V = spectrum.values, spectrum.vectors
        self.t = self.criteria.projections[:, 0]  # sqrt(L) U'R, or V'R
        squares = np.asarray(self.t**2)
        if self.primal:
            squares = np.divide(squares, self.L, out=np.zeros_like(squares), where=self.L > 0)
        self.squares = squares
        self.outside = self._outside() if self.primal else 0.0

    def _outside(self) -> float:
        """Least ||R - Zw||^2; by X itself where the difference of squares is rounding."""
        whole = float(self.targets.square[0])
        outside = max(whole - float(self.squares.sum()), 0.0)
        if outside > EXACT_FIT * whole or whole == 0.0:
            return outside
        if not self.precise:
            raise Breakdown(np.inf)
        top = float(np.max(self.L, initial=0.0)) * len(self.L) * np.finfo(float).eps
        c = np.divide(self.t, self.L, out=np.zeros_like(self.t), where=top < self.L)
        residual = self.targets.R[:, 0] - self.design.dot((self.V @ c)[:, None])[:, 0]
        return float(residual @ residual)

    def at(self, a: float, last: bool = False) -> Moments:  # noqa: ARG002 exact anyway
        shrunk = 1.0 / (self.L + a)
        c = self.t * shrunk
        left = self.squares * (a * shrunk) ** 2
        square = c @ c if self.primal else (self.L * c) @ c
        return Moments(
            c,
            float(self.L @ shrunk),
            float(np.log(self.L + a).sum()),
            len(self.L),
            float(square),
            float(left.sum()) + self.outside,
        )

    def length(self, change: Array) -> float:
        return float(np.sqrt(change @ (change if self.primal else self.L * change)))

    def coefficients(self, c: Array) -> Array:
        W = (self.V @ c)[:, None]
        W = W if self.primal else self.design.tdot(W)
        return np.asarray(self.design.coefficients(W)[:, 0])

    def check(self, a: float) -> None:
        worst = float(conditions(self.L, np.array([a]))[0])
        if not self.precise and worst > direct.LOST:
            raise Breakdown(worst)

    def posterior(self, alpha: float, lambda_: float) -> Posterior:
        half = self.V / np.sqrt(alpha * self.L + lambda_)
        wide = None if self.primal else _wide(self.design)
        return Posterior(alpha, lambda_, self.design.mean, wide=wide, half=half)


class _FactorView:
    """c in X's own basis (primal) or over the rows; the intercept's u has a value of its own."""

    def __init__(self, solver: Any) -> None:
        problem = solver.problem
        by_columns = problem.S.strides[0] <= problem.S.strides[1]
        self.S = problem.S if by_columns else problem.S.T  # symmetric, laid out as work is
        self.primal = solver.plan.primal
        self.design, self.targets = problem.design, problem.targets
        self.r = problem.right[:, 0]
        self.whole = float(self.targets.square[0])
        shifts = not self.primal and self.design.fit_intercept
        self.own = float(np.trace(self.S)) / (self.design.n + 1.0) if shifts else None
        self.work = np.empty(self.S.shape, order="F")
        self.told: list[tuple[float, float]] = []  # a and tr (S + a I)^{-1} by probes, twice

    def guess(self, otherwise: float) -> float:
        """A by the method of moments, where both variances come out positive."""
        trace, square = float(np.trace(self.S)), float(np.einsum("ij,ij->", self.S, self.S))
        gradient = float(self.r @ self.r if self.primal else self.r @ self.S @ self.r)
        if self.own is not None:
            trace, square = trace - self.own, square - self.own**2
        df = self.design.n_used - float(self.design.fit_intercept)
        noise = self.whole * square - gradient * trace
        weights = gradient * df - self.whole * trace
        return noise / weights if noise > 0.0 and weights > 0.0 else otherwise

    def at(self, a: float, last: bool = False) -> Moments:
        self.work[:] = self.S
        self.work[np.diag_indices_from(self.work)] += a
        if not _core.cholesky(self.work):
            raise Breakdown
        R = self.work
        c, log_det = lapack.dpotrs(R, self.r, lower=0)[0], 2.0 * float(np.log(np.diag(R)).sum())
        spread, v, first, early = 0.0, 0.0, None, not self.told and not last
        if len(self.told) < 2:
            signs = np.random.default_rng(0).choice([-1.0, 1.0], (len(R), PROBES))
            solved = lapack.dpotrs(R, np.column_stack([c, signs]), lower=0)[0]
            self.told.append((a, float(np.einsum("kq,kq->", signs, solved[:, 1:])) / PROBES))
            spread = float(np.square(solved[:, 1:]).sum()) / PROBES
            v = float((c if self.primal else self.S @ c) @ solved[:, 0])
        trace = self.told[0][1] if early else _trace_of_inverse(R)
        if len(self.told) == 2:
            (before, probed), (_, again) = self.told
            first = self._gamma(before, trace + probed - again)
            self.told.append(self.told[-1])
        product = self.r - a * c  # S c
        if self.primal:
            square, sse = c @ c, self.whole - c @ self.r - a * (c @ c)
            if sse <= EXACT_FIT * self.whole and self.whole > 0.0:
                raise Breakdown(np.inf)
        else:
            square, sse = c @ product, a * a * (c @ c)
        gamma, k = self._gamma(a, trace), len(R)
        if self.own is not None:
            k, trace = k - 1, trace - 1.0 / (self.own + a)
            log_det -= math.log(self.own + a)
        change = (-a * (trace - a * spread), -2.0 * a * v, 2.0 * a * a * v)
        return Moments(c, gamma, log_det, k, float(square), float(sse), change, first)

    def _gamma(self, a: float, trace: float) -> float:
        """From tr (S + a I)^{-1}."""
        inside = 0.0 if self.own is None else self.own / (self.own + a)  # u's share
        return len(self.S) - a * trace - inside

    def length(self, change: Array) -> float:
        other = change if self.primal else self.S @ change
        return math.sqrt(max(float(change @ other), 0.0))

    def coefficients(self, c: Array) -> Array:
        W = c[:, None] if self.primal else self.design.tdot(c[:, None])
        return np.asarray(self.design.coefficients(W)[:, 0])

    def check(self, a: float) -> None:
        """The fit that follows checks its own factor."""

    def posterior(self, alpha: float, lambda_: float) -> Posterior:
        wide = None if self.primal else _wide(self.design)
        return Posterior(alpha, lambda_, self.design.mean, wide=wide, small=self.S)


def _trace_of_inverse(R: Array) -> float:
    """Of (R'R)^{-1}; R is lost."""
    inverse = lapack.dtrtri(R, lower=0, overwrite_c=1)[0]
    return float(lapack.dlantr("F", inverse, uplo="U")) ** 2


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
