"""The null model, whose objective P0 is what gaps are relative to.

It has w_j = 0 wherever the factor f_j > 0; b and the columns with f_j = 0 are at their optimum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.optimize import lsq_linear

from ..losses import Quadratic
from .problem import Problem
from .rounding import EPS, NULL
from .span import Span, fits, span_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Null:
    """Where the null model stands."""

    objective: float  # P0
    u: Vector  # (n,) generalised residual; 0 where P0 is zero to rounding
    unfitted: float  # sum_i omega_i f(y_i, offset_i)
    zero: bool  # P0 is zero to rounding


def null_model(problem: Problem) -> Null:
    """Null model; columns with f_j = 0 that would not fit into PROJECTION_BYTES stay at 0."""
    p, penalty, scale = problem.X.shape[1], problem.penalty, problem.scale
    lower, upper = penalty.bounds(p, scale)
    free = np.flatnonzero((penalty.factors(p) == 0) & ~penalty.excluded(p, scale) & (lower < upper))
    free = free if fits(problem, len(free)) else free[:0]
    span = span_of(problem, free)
    if isinstance(problem.loss, Quadratic):
        r = _null_residual(span, problem.y - problem.offset, lower[free], upper[free])
        u, mean_loss = span.root * r, 0.5 * float(r @ r)
    else:
        z = _null_predictor(problem, span, lower[free], upper[free])
        u, mean_loss = problem.residual(z), problem.mean_loss(z)
    objective = mean_loss + penalty.value(np.zeros(p), scale)
    unfitted = problem.mean_loss(problem.offset)
    zero = abs(objective) <= (NULL * abs(unfitted) if math.isfinite(unfitted) else 0.0)
    return Null(objective, np.zeros_like(u) if zero else u, unfitted, zero)


def _null_residual(span: Span, target: Vector, lower: Vector, upper: Vector) -> Vector:
    """sqrt(omega) times the residual of weighted least squares within bounds, (n,)."""
    v = span.root * target
    used = span.norms > 0
    if np.isinf(lower[used]).all() and np.isinf(upper[used]).all():
        return span.complement(v)
    v = v - span.root * (span.root @ v) if span.fit_intercept else v
    A, norms, length = span.columns[:, used], span.norms[used], float(np.linalg.norm(v)) or 1.0
    box = (lower[used] * norms / length, upper[used] * norms / length)
    fit = lsq_linear(
        A, v / length, bounds=box, method="bvls", tol=EPS, max_iter=50 + 10 * len(norms)
    )
    return np.asarray(v - length * (A @ fit.x))


def _null_predictor(problem: Problem, span: Span, lower: Vector, upper: Vector) -> Vector:
    """Linear predictor of the null model by Newton's method within bounds, (n,).

    Over z = offset + D t, D the span's columns and the intercept's, each step minimises
    g't + t'Ht / 2 within the bounds, with g = D'(omega f') and H = D'(omega f'' D), and is halved
    until the objective falls.
    """
    used, root = span.norms > 0, span.root[:, None]
    D = np.divide(
        span.columns[:, used], root, out=np.zeros((len(root), used.sum())), where=root > 0
    )
    D = np.column_stack([D, np.ones(len(D))]) if span.fit_intercept else D
    room = np.full(D.shape[1] - int(used.sum()), math.inf)
    low = np.concatenate([lower[used] * span.norms[used], -room])
    high = np.concatenate([upper[used] * span.norms[used], room])
    t, z, before = np.zeros(D.shape[1]), problem.offset, problem.offset
    value = problem.mean_loss(z)
    for _ in range(200 if len(t) else 0):
        step, fall = _newton_step(problem, D, z, low - t, high - t)
        if math.isnan(fall):
            return before
        if fall <= NULL * abs(value):
            break
        length = 1.0
        while True:
            trial = np.clip(t + length * step, low, high)
            reached = problem.mean_loss(problem.offset + D @ trial)
            # close to the end the fall is lost in the rounding of the objective
            falls = reached <= value - 1e-4 * length * fall
            if falls or length < 1e-15 or fall <= 1e-10 * abs(value):
                break
            length *= 0.5
        if not reached <= value + 1e-12 * abs(value):
            break
        before, t, z, value = z, trial, problem.offset + D @ trial, reached
    return z


def _newton_step(
    problem: Problem, D: Vector, z: Vector, low: Vector, high: Vector
) -> tuple[Vector, float]:
    """Step t of least g't + t'Ht / 2 with low <= t <= high, and the fall -g't it promises."""
    used, h = problem.omega > 0, np.zeros(len(z))
    h[used] = problem.omega[used] * problem.loss.curvature(problem.y[used], z[used])
    g, H = -D.T @ problem.residual(z), D.T @ (h[:, None] * D)
    if not (np.isfinite(g).all() and np.isfinite(H).all()):
        return np.zeros_like(g), math.nan  # z has run away: the loss has no minimum
    H[np.diag_indices(len(g))] += 1e-12 * np.trace(H) / len(g) or 1.0
    if np.isinf(low).all() and np.isinf(high).all():
        step = -cho_solve(cho_factor(H), g)
    else:
        L = cholesky(H, lower=True)
        right = -solve_triangular(L, g, lower=True)
        step = lsq_linear(L.T, right, bounds=(low, high), method="bvls", tol=EPS).x
    return step, -float(g @ step)
