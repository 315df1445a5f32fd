r"""The judge of the Lagrange form: duality gaps of least squares within a ball, by NumPy alone.

With omega_i = s_i / sum s, r_i = y_i - x_i'w - b, e_j the scales of ``standardize`` (else 1) and
the norm || . ||, L1 or L2, with dual norm || . ||_*, the two forms and their duals are

    ball       minimise sum_i omega_i r_i^2 / 2       subject to ||e w|| <= C
               maximise u'y - sum_i u_i^2 / (2 omega_i) - C ||X'u / e||_*
    residual   minimise ||e w||                       subject to sum_i omega_i r_i^2 <= sigma^2
               maximise u'y - sigma (sum_i u_i^2 / omega_i)^(1/2)    over ||X'u / e||_* <= 1

over u in R^n, with sum_i u_i = 0 where b is fitted. Both are judged at the best multiple of
u_i = omega_i r_i, which closes the gap at the optimum.

References
----------
Rockafellar (1970), Convex Analysis, section 31. van den Berg and Friedlander (2008), Probing the
Pareto frontier for basis pursuit solutions.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..certificate import NULL, RETURNED
from ..judge.problem import Problem, problem_of
from ..losses import Quadratic
from ..penalties import L1
from ..solution import Certificate
from .norms import dual_exponent, lq_norm

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

EXPONENTS = {"l1": 1.0, "l2": 2.0}
FEASIBLE = 1e-12  # a constraint passed by this share of its bound is held


def verify_ball(
    X: Any,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: float = 0.0,
    *,
    norm: str = "l1",
    radius: float | None = None,
    residual: float | None = None,
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
) -> Certificate:
    """Certify a fit within a ball of coefficients, or of residuals, recomputed from X and y.

    Parameters
    ----------
    X : (n, p) array or SciPy sparse matrix
    y : (n,)
    coef : (p,), in X's units
    intercept : float
    norm : "l1" or "l2"
    radius, residual : float >= 0
        C or sigma; exactly one of them.
    sample_weight : (n,), optional
    fit_intercept, standardize : bool

    Returns
    -------
    Certificate
        ``primal`` is the objective of the form, inf where its constraint is passed by more than
        1e-12 of it. ``relative_gap`` is over the objective of w = 0 in the form of the ball, and
        over ``primal`` in that of the residual. ``kkt_violation`` is how far X'u is from a
        multiple of a subgradient of the norm, over its largest entry at w = 0.

    Raises
    ------
    ValueError, TypeError
        Bad input, as :func:`regsolve.verify`.
    """
    exponent, radius, residual = checked_form(norm, radius, residual)
    problem = problem_of(
        X, y, Quadratic(), L1(0.0), sample_weight, None, fit_intercept, standardize
    )
    w = np.asarray(coef, dtype=np.float64)
    if w.shape != (problem.X.shape[1],) or not np.isfinite(w).all():
        raise ValueError(f"coef has shape {w.shape}: expected {problem.X.shape[1]} finite numbers")
    omega = problem.omega
    r = problem.y - problem.X.dot(w) - intercept
    slack = float(omega @ r)
    mean = float(omega @ problem.y) if fit_intercept else 0.0
    centred = r - slack if fit_intercept else r
    c, length = _products(problem, omega * centred, w)
    at_null, _ = _products(problem, omega * (problem.y - mean), w)
    moments = (
        float(omega @ r**2),
        float(omega @ (centred * (problem.y - mean))),
        float(omega @ centred**2),
    )
    null = 0.5 * float(omega @ (problem.y - mean) ** 2)
    if null <= NULL * 0.5 * float(omega @ problem.y**2):
        null, at_null = 0.0, np.zeros_like(c)
        if not w.any() and moments[0] <= RETURNED * float(omega @ problem.y**2):
            moments, c = (0.0, 0.0, 0.0), np.zeros_like(c)
    return judged(exponent, radius, residual, moments, c, length, at_null, null)


def checked_form(norm: Any, radius: Any, residual: Any) -> tuple[float, float | None, float | None]:
    """The exponent of ``norm``, radius and residual; ValueErrors name the argument.

    The bounds come back as Python's floats, whose products overflow to infinity without a warning.
    """
    if norm not in EXPONENTS:
        raise ValueError(f"norm={norm!r}: expected 'l1' or 'l2'")
    if (radius is None) == (residual is None):
        raise ValueError("give one of radius and residual, not both or neither")
    name, bound = ("radius", radius) if residual is None else ("residual", residual)
    if isinstance(bound, bool) or not isinstance(bound, int | float | np.integer | np.floating):
        raise ValueError(f"{name}={bound!r}: expected a number >= 0")
    try:
        value = float(bound)
    except OverflowError:
        raise ValueError(f"{name}: expected a finite number >= 0, below 1.8e308") from None
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name}={bound!r}: expected a finite number >= 0")
    return EXPONENTS[norm], *((value, None) if residual is None else (None, value))


def _products(problem: Problem, u: Array, w: Array) -> tuple[Array, Array]:
    """X'u / e and e w, (p,); a constant column (e_j = 0) is out."""
    c = problem.X.transposed_dot(u)
    if problem.scale is None:
        return c, w
    e = problem.scale
    outside = np.where((e == 0.0) & (w != 0.0), np.inf, e * w)
    return np.divide(c, e, out=np.zeros_like(c), where=e > 0), outside


def judged(
    exponent: float,
    radius: float | None,
    residual: float | None,
    moments: tuple[float, float, float],
    c: Array,
    w: Array,
    at_null: Array,
    null: float,
    blur: float = 0.0,
) -> Certificate:
    """The certificate from ``moments`` = sums of omega times r^2, u y and u^2 / omega^2.

    c = X'u / e, e w as ``w``, c at w = 0 as ``at_null`` and the objective there as ``null``;
    ``blur`` bounds the rounding in the dual norm of c.
    """
    square, product, centred = moments
    length = lq_norm(w, exponent)
    steep = lq_norm(c, dual_exponent(exponent)) + blur
    if residual is None:
        assert radius is not None
        primal = 0.5 * square if length <= radius * (1.0 + FEASIBLE) else math.inf
        above = max(product - radius * steep, 0.0)
        dual = (above / math.sqrt(2.0 * centred)) ** 2 if centred > 0 else 0.0
        on_it, scale = length >= radius * (1.0 - 1e-9), null
    else:
        held = math.sqrt(square) <= residual * (1.0 + FEASIBLE) + math.sqrt(RETURNED * 2.0 * null)
        primal = length if held else math.inf
        above = product - residual * math.sqrt(centred)
        dual = max(above, 0.0) / steep if steep > 0 else (math.inf if above > 0 else 0.0)
        on_it, scale = True, length
    gap = max(primal - dual, 0.0)
    relative = gap / scale if scale > 0 else (0.0 if gap == 0.0 else math.inf)
    return Certificate(primal, dual, gap, relative, _violation(exponent, c, w, on_it, at_null))


def _violation(exponent: float, c: Array, w: Array, on_it: bool, at_null: Array) -> float:
    """max_j |c_j - t d_j| over max_j |c_j at w = 0|, d a subgradient of the norm at w.

    The multiplier t is ||c||_* on the sphere, 0 inside it; at w = 0 any c is a multiple of one.
    """
    largest = float(np.max(np.abs(at_null), initial=0.0))
    if not np.isfinite(w).all():
        return math.inf
    if on_it and not w.any():
        return 0.0
    if not on_it:
        worst = float(np.max(np.abs(c), initial=0.0))
    elif exponent == 1.0:
        used = w != 0.0
        worst = float(np.max(np.abs(np.abs(c).max() * np.sign(w[used]) - c[used])))
    else:
        worst = float(np.max(np.abs(lq_norm(c, 2.0) * w / lq_norm(w, 2.0) - c)))
    return worst / largest if largest > 0 else (0.0 if worst == 0.0 else math.inf)
