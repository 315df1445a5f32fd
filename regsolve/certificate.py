"""The judge: objective, duality gap and optimality conditions of any coefficients.

NumPy and SciPy alone, in float64, apart from every solver. With omega_i = s_i / sum s,
z_i = x_i'w + b + offset_i and a loss f that is convex in z, the problem is

    minimise  P(w, b) = sum_i omega_i f(y_i, z_i) + sum_j g_j(w_j)

and its dual, over u in R^n with sum_i u_i = 0 where b is fitted,

    maximise  D(u) = - sum_i [omega_i f*(y_i, -u_i / omega_i) + u_i offset_i] - sum_j g_j*(x_j'u).

D(u) <= P(w, b) for every u and (w, b), so P - D bounds how far P is above its minimum, convex or
not.

References
----------
Rockafellar (1970), Convex Analysis, section 31 (Fenchel duality).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .judge.dual import dual_objective
from .judge.kkt import violation
from .judge.null import Null, null_model
from .judge.problem import Problem, problem_of, vector
from .judge.rounding import NULL, RETURNED
from .losses import Loss, Quadratic
from .penalties import Penalty
from .solution import Certificate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Vector = NDArray[np.float64]

__all__ = ["NULL", "RETURNED", "Certificate", "certify", "verify"]

_QUADRATIC = Quadratic()


def verify(
    X: Any,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: float = 0.0,
    *,
    penalty: Penalty,
    loss: Loss = _QUADRATIC,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
) -> Certificate:
    """Certify coefficients: objective, dual bound, gap and KKT violation, recomputed from X and y.

    Parameters
    ----------
    X : (n, p) array or SciPy sparse matrix of any format and dtype
        Read in blocks and never written; float32 is widened, arithmetic is float64.
    y : (n,) array
        Target.
    coef : (p,) array
        Coefficients w in X's units.
    intercept : float
        b; 0 without ``fit_intercept``.
    penalty : L1, L2, ElasticNet or Custom
    loss : Quadratic or Custom
    sample_weight : (n,) array, optional
        s_i >= 0, ones by default; only their ratios count.
    offset : (n,) array, optional
        Added to the linear predictor.
    fit_intercept : bool
        Whether b is minimised over.
    standardize : bool
        The penalty acts on s_j w_j, s_j^2 = sum_i omega_i (x_ij - m_j)^2, m_j the weighted mean
        with ``fit_intercept``, else 0. A column with s_j <= 8 eps abs(m_j) is constant: it is out.

    Returns
    -------
    Certificate

    Raises
    ------
    ValueError
        NaN or infinity, shapes that disagree, no rows, weights that are negative or all zero.
    TypeError
        Arrays that are not of real numbers, an intercept that is none; a penalty or loss of
        another type.

    Notes
    -----
    A Custom loss or penalty without a conjugate has NaN for dual, gap and relative_gap:
    kkt_violation is then the judgement.
    """
    problem = problem_of(X, y, loss, penalty, sample_weight, offset, fit_intercept, standardize)
    w = vector("coef", coef, problem.X.shape[1], "column")
    try:
        finite = math.isfinite(intercept)
    except TypeError:
        raise TypeError(f"intercept={intercept!r}: expected a number") from None
    if not finite:
        raise ValueError(f"intercept={intercept}: expected a finite number")
    if intercept != 0.0 and not fit_intercept:
        raise ValueError(f"intercept={intercept} without fit_intercept: give a fixed b by offset")
    with np.errstate(all="ignore"):
        null = null_model(problem)
        z = problem.X.dot(w) + intercept + problem.offset
        primal = problem.mean_loss(z) + problem.penalty.value(w, problem.scale)
        primal = math.inf if math.isnan(primal) else primal
        u = problem.residual(z)
        dual = dual_objective(problem, w, u, null)
        kkt = violation(problem, w, z, u, null)
    gap = primal - dual if math.isnan(dual) else max(primal - dual, 0.0)
    relative = _relative(problem, w, primal, gap, null)
    return Certificate(primal, dual, gap, relative, kkt)


certify = verify


def _relative(problem: Problem, w: Vector, primal: float, gap: float, null: Null) -> float:
    """Gap over P0; where that is zero to rounding, 0 for the null model and inf for the rest."""
    if math.isnan(gap):
        return math.nan
    if not null.zero:
        return gap / abs(null.objective)  # a user's loss may be negative
    penalised = problem.penalty.factors(len(w)) > 0
    returned = not np.any(w[penalised]) and primal <= RETURNED * null.unfitted
    return 0.0 if returned else math.inf
