"""The dual objective D at a point made feasible.

At the optimum of a convex problem u_i = -omega_i f'(y_i, z_i) closes the gap; elsewhere it is made
feasible in four steps: centre it (intercept), project it off the unpenalised columns, move it
towards the null model's u until f* is finite, scale it until every g_j* is finite.

References
----------
Massias, Gramfort and Salmon (2018), Celer: a fast solver for the lasso with dual extrapolation
(duality gaps as stopping rule and proof).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..losses import Quadratic
from ..penalties import Custom
from .null import Null
from .problem import Problem
from .rounding import EPS
from .span import Span, fits, span_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

PROJECTION_FEATURES = 8000  # at alpha = 0 nothing is projected beyond this many features


def dual_objective(problem: Problem, w: Vector, u: Vector, null: Null) -> float:
    """D at the dual point made of u = -omega f'; NaN where a conjugate is not known."""
    loss, penalty, scale = problem.loss, problem.penalty, problem.scale
    if not (loss.has_conjugate and penalty.has_conjugate):
        return math.nan
    if not np.isfinite(u).all():
        u = null.u  # coefficients so wild that f' overflows
    span, exact, u, c = _projected(problem, w, u)
    if isinstance(loss, Quadratic) and not isinstance(penalty, Custom):
        return _quadratic_dual(problem, u, c)
    s = _edge(problem, u)
    u, c = s * u, s * c
    s = 1.0
    if not _in_domain(problem, u):
        u0 = span.project(null.u)
        c0 = problem.X.transposed_dot(u0)
        c0[exact] = 0.0
        t = _largest_step(problem, u0, u)
        s, u, c = float(t >= 0.0), (1.0 - t) * u0 + t * u, (1.0 - t) * c0 + t * c
    s = min(s, penalty.largest_scale(c, scale))
    value = -_mean_conjugate(problem, s * u) - s * float(u @ problem.offset)
    value -= float(np.sum(penalty.conjugate(s * c, scale)))
    return -math.inf if math.isnan(value) else value


def _projected(
    problem: Problem, w: Vector, u: Vector
) -> tuple[Span, NDArray[np.intp], Vector, Vector]:
    """U centred and projected, c = X'u, the span used and the columns with c_j = 0 exactly.

    Projected off are the columns without penalty whose conjugate would be infinite: no bound at
    all, or one bound and either w_j strictly inside or c_j on the unbounded side.
    """
    p, penalty = problem.X.shape[1], problem.penalty
    lower, upper = penalty.bounds(p, problem.scale)
    below, above = np.isinf(lower), np.isinf(upper)
    candidates = penalty.unpenalised(p, problem.scale) & (below | above)
    if penalty.alpha == 0 and p > PROJECTION_FEATURES:
        candidates[:] = False
    chosen = candidates & ((below | (w > lower)) & (above | (w < upper)))
    while True:
        exact = np.flatnonzero(chosen)
        if not fits(problem, len(exact)):
            exact, candidates = exact[:0], np.zeros_like(candidates)
        span = span_of(problem, exact)
        v = span.project(u)
        c = problem.X.transposed_dot(v)
        c[exact] = 0.0
        wrong = candidates & ~chosen & ((above & (c > 0)) | (below & (c < 0)))
        if not wrong.any():
            return span, exact, v, c
        chosen |= wrong


def _quadratic_dual(problem: Problem, u: Vector, c: Vector) -> float:
    """Largest a s - b s^2 / 2 - sum_j g_j*(s c_j) over s >= 0: D(s u) for the quadratic loss.

    a = u'(y - offset), b = sum_i u_i^2 / omega_i. The target is centred, as u is, for precision.
    """
    target, used = problem.y - problem.offset, problem.omega > 0
    if problem.fit_intercept:
        target = target - problem.omega @ target
    a, b = float(u @ target), float(np.sum(u[used] ** 2 / problem.omega[used]))
    if a <= 0.0 or b <= 0.0:
        return 0.0
    penalty, scale = problem.penalty, problem.scale
    high = min(a / b, penalty.largest_scale(c, scale))
    s = _best_scale(a, b, c, high, penalty.strengths(len(c), scale))  # type: ignore[union-attr]
    return a * s - 0.5 * b * s**2 - float(np.sum(penalty.conjugate(s * c, scale)))


def _best_scale(
    a: float, b: float, c: Vector, high: float, strengths: tuple[Vector, Vector, Vector, Vector]
) -> float:
    """Maximiser on [0, high] of D(s) = a s - b s^2 / 2 - sum_j g_j*(s c_j), which is concave.

    D'(s) = a - b s - sum_j |c_j| t_j(s), t_j = min((s |c_j| - l1_j)_+ / l2_j, bound_j), is
    decreasing and piecewise linear: Newton's method within a bracket, halved where it stalls.
    """
    l1, l2, lower, upper = strengths
    bound = np.where(c > 0, upper, -lower)
    active = (np.abs(c) * high > l1) & (bound > 0)  # the others have t_j = 0 up to high
    size, l1, l2, bound = np.abs(c[active]), l1[active], l2[active], bound[active]

    def slope(s: float) -> tuple[float, float]:
        excess = np.maximum(s * size - l1, 0.0)
        t = np.where(excess > 0, excess / l2, 0.0)
        inside = (t > 0) & (t < bound)
        steepness = b + float(np.sum(size[inside] ** 2 / l2[inside]))
        return a - b * s - float(size @ np.minimum(t, bound)), steepness

    low, s = 0.0, high
    d, steepness = slope(s)
    jump = (l1 == 0) & (l2 == 0)  # t_j = bound_j at once
    if d >= 0.0 or float(size[jump] @ bound[jump]) >= a:
        return s if d >= 0.0 else 0.0
    while high - low > EPS * high:
        newton, width = s + d / steepness, high - low
        if abs(newton - s) <= EPS * s:
            return s
        s = newton if low < newton < high else 0.5 * (low + high)
        d, steepness = slope(s)
        low, high = (s, high) if d > 0 else (low, s)
        if high - low > 0.5 * width:
            s = 0.5 * (low + high)
            d, steepness = slope(s)
            low, high = (s, high) if d > 0 else (low, s)
    return s


def _mean_conjugate(problem: Problem, u: Vector) -> float:
    """sum_i omega_i f*(y_i, -u_i / omega_i) over the rows of positive weight."""
    used = problem.omega > 0
    omega = problem.omega[used]
    return float(omega @ problem.loss.conjugate(problem.y[used], -u[used] / omega))


def _in_domain(problem: Problem, u: Vector) -> bool:
    return math.isfinite(_mean_conjugate(problem, u))


def _edge(problem: Problem, u: Vector) -> float:
    """Largest s = 1, 1 - 1e-15, ..., 1 - 1e-6 with f* finite at s u, else 1.

    Centring can push a u whose entries lie on the edge of the domain (Huber's do) over it by a
    rounding; a step towards another u with entries on the same edge would not bring it back.
    """
    for s in (1.0, *(1.0 - 10.0**-k for k in range(15, 5, -1))):
        if _in_domain(problem, s * u):
            return s
    return 1.0


def _largest_step(problem: Problem, u0: Vector, u: Vector) -> float:
    """Largest t in [0, 1] with f* finite at (1 - t) u0 + t u, by bisection; -1 where none is."""
    if not _in_domain(problem, u0):
        return -1.0
    low, high = 0.0, 1.0
    while high - low > EPS * high and high > 1e-30:
        middle = 0.5 * (low + high)
        inside = _in_domain(problem, (1.0 - middle) * u0 + middle * u)
        low, high = (middle, high) if inside else (low, middle)
    return low
