"""The violation of the optimality (Karush-Kuhn-Tucker) conditions at given coefficients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .null import Null
from .problem import Problem
from .rounding import CONSTANT, NULL, RETURNED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]


def violation(problem: Problem, w: Vector, z: Vector, u: Vector, null: Null) -> float:
    """KKT violation over the largest gradient at the null model, features that are out left out.

    Gradients are compared with size = max_j sum_i |x_ij| |u_i|, u at the null model and at
    w = 0, b = 0: what is below rounding of it is zero.
    """
    p, penalty, scale = problem.X.shape[1], problem.penalty, problem.scale
    grad = -problem.X.transposed_dot(u)
    if penalty.has_subdiff_distance:
        distance = penalty.subdiff_distance(w, grad, scale)
    else:
        distance = _fixed_point_distance(problem, w, z, grad)
    lower, upper = penalty.bounds(p, scale)
    kept = (lower < 0.0) | (upper > 0.0)
    worst = float(np.max(distance, initial=0.0))
    slack = abs(float(np.sum(u))) if problem.fit_intercept else 0.0
    unfitted = np.abs(problem.residual(problem.offset))
    sizes = problem.X.transposed_dot(np.maximum(np.abs(null.u), unfitted), absolute=True)
    size = float(np.max(sizes[kept], initial=0.0))
    steepest = float(np.max(np.abs(problem.X.transposed_dot(null.u))[kept], initial=0.0))
    if math.isnan(worst + slack):
        return math.inf
    if steepest > math.sqrt(NULL) * size:
        return max(worst, slack) / steepest
    rounding = math.sqrt(RETURNED)
    returned = worst <= rounding * size and slack <= rounding * float(np.sum(unfitted))
    return 0.0 if returned else math.inf


def _fixed_point_distance(problem: Problem, w: Vector, z: Vector, grad: Vector) -> Vector:
    """L_j |w_j - prox_j(w_j - grad_j / L_j, 1 / L_j)|, (p,).

    L_j = sum_i omega_i f''_i (x_ij - m_j)^2, the largest of them where it is zero.
    """
    m, used, h = problem.means(), problem.omega > 0, np.zeros(len(z))
    h[used] = problem.omega[used] * problem.loss.curvature(problem.y[used], z[used])
    L = problem.X.centred_sum(h, m, 2)
    flat = np.sqrt(L) <= CONSTANT * math.sqrt(h.sum()) * np.abs(m)
    L[flat] = np.max(L[~flat], initial=0.0) or 1.0
    return np.asarray(L * np.abs(w - problem.penalty.prox(w - grad / L, 1.0 / L, problem.scale)))
