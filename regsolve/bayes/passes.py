"""What a pass of the evidence's iteration asks of a factorised problem, at a = lambda / alpha.

    gamma = sum_k L_k / (L_k + a),   sum_k log(L_k + a),   ||m(a)||^2,   ||R - Z m(a)||^2

with Z and R the weighted and centred X and y, L_k the eigenvalues of Z'Z and m(a) the mean of w.
From the spectrum that costs O(k), k = min(n, p). From a Cholesky factor, U'U = Z'Z + a I, gamma is
k - a ||U^{-1}||_F^2; but the first pass takes the traces of (Z'Z + a I)^{-1} and, for slopes, of
its square from random probes, and the second corrects gamma by what the same probes say there.
Where to start is the a at which moments of R are what they are expected to be:

    E ||R||^2   = df / alpha + tr(Z'Z) / lambda,
    E ||Z'R||^2 = tr(Z'Z) / alpha + ||Z'Z||_F^2 / lambda.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy.linalg import lapack

from .. import _core
from ..ridge import direct
from ..ridge.criteria import Criteria
from ..ridge.factors import Breakdown, conditions
from .posterior import Posterior, Wide

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

PROBES = 16
EXACT_FIT = 1e-7  # share of ||R||^2 below which its residual is taken from X


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


def design_and_targets(solver: Any) -> tuple[Any, Any]:
    """What the solver, by a spectrum or by factors, was given."""
    problem = getattr(solver, "problem", solver)
    return problem.design, problem.targets


def _wide(design: Any) -> Wide:
    return Wide(design.X, design.mean, design.root)


class SpectrumView:
    """c in the eigenbasis."""

    def __init__(self, solver: Any) -> None:
        self.criteria: Criteria = solver.criteria()
        self.design, self.targets = design_and_targets(solver)
        self.precise = not hasattr(solver, "problem")
        self.primal = self.criteria.primal
        spectrum = self.criteria.spectrum
        self.L, self.V = spectrum.values, spectrum.vectors
        self.t = self.criteria.projections[:, 0]  # sqrt(L) U'R, or V'R
        u = self.t
        if self.primal:
            u = np.divide(u, np.sqrt(self.L), out=np.zeros_like(u), where=self.L > 0)
        self.squares = np.asarray(u**2)
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
        """Everything at a."""
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
        """||dm||_2 of a change of c."""
        return float(np.sqrt(change @ (change if self.primal else self.L * change)))

    def coefficients(self, c: Array) -> Array:
        """M (p,) in X's units."""
        W = (self.V @ c)[:, None]
        W = W if self.primal else self.design.tdot(W)
        return np.asarray(self.design.coefficients(W)[:, 0])

    def check(self, a: float) -> None:
        """Raise Breakdown where a is too small for the normal equations."""
        worst = float(conditions(self.L, np.array([a]))[0])
        if not self.precise and worst > direct.LOST:
            raise Breakdown(worst)

    def posterior(self, alpha: float, lambda_: float) -> Posterior:
        """The covariance, formed when asked."""
        half = self.V / np.sqrt(alpha * self.L + lambda_)
        wide = None if self.primal else _wide(self.design)
        return Posterior(alpha, lambda_, self.design.mean, wide=wide, half=half)


class FactorView:
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
        """Everything at a, from one Cholesky factor; gamma by probes the first time."""
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
        """||dm||_2 of a change of c."""
        other = change if self.primal else self.S @ change
        return math.sqrt(max(float(change @ other), 0.0))

    def coefficients(self, c: Array) -> Array:
        """M (p,) in X's units."""
        W = c[:, None] if self.primal else self.design.tdot(c[:, None])
        return np.asarray(self.design.coefficients(W)[:, 0])

    def check(self, a: float) -> None:
        """The fit that follows checks its own factor."""

    def posterior(self, alpha: float, lambda_: float) -> Posterior:
        """The covariance, formed when asked."""
        wide = None if self.primal else _wide(self.design)
        return Posterior(alpha, lambda_, self.design.mean, wide=wide, small=self.S)


def _trace_of_inverse(R: Array) -> float:
    """Of (R'R)^{-1}; R is lost."""
    inverse = lapack.dtrtri(R, lower=0, overwrite_c=1)[0]
    return float(lapack.dlantr("F", inverse, uplo="U")) ** 2
