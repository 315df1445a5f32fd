r"""The Lagrange form: least squares within a ball, and the penalty that says the same.

    ball        minimise sum_i s_i (y_i - x_i'w - b)^2 / (2 sum s)   subject to ||e w|| <= C
    residual    minimise ||e w||   subject to sum_i s_i (y_i - x_i'w - b)^2 / sum s <= sigma^2
    penalty     minimise sum_i s_i (y_i - x_i'w - b)^2 / (2 sum s) + alpha g(w)

with g(w) = ||e w||_1, or ||e w||_2^2 / 2. They have the same solutions: w of the penalty solves the
other two with C = ||e w|| and sigma = its residual. The multiplier of ||e w||_1 <= C, and that of
||e w||_2^2 / 2 <= C^2 / 2, is alpha; that of ||e w||_2 <= C is alpha C.

For L1 the path in alpha is bracketed where it passes C and followed there exactly
(:mod:`regsolve.views.within_l1`); for L2 the secular equation ||w(alpha)|| = C is solved on one
spectrum or on one Krylov space (:mod:`regsolve.views.within_l2`).

Another loss needs its own way along a bracketed path in place of the straight lines, and its
conjugate in the certificate.

References
----------
More and Sorensen (1983), Computing a trust region step. Osborne, Presnell and Turlach (2000), On
the LASSO and its dual. van den Berg and Friedlander (2008), Probing the Pareto frontier for basis
pursuit solutions.
"""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _validate
from .._threads import one_thread_blas, scipy_blas
from ..penalties import L1
from ..ridge import fit_ridge
from ..ridge.design import Design, Targets, targets
from ..ridge.factors import EPS
from ..solution import Certificate, Report
from ..solve import solve
from .ball_certificate import checked_form, judged
from .goal import Found, Goal, correlations, null_square, refuse
from .norms import lq_norm
from .within_l1 import within_l1
from .within_l2 import within_l2

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

SHARP = 1e-10  # a relative gap from a Gram matrix above this is taken from X itself


@dataclass(frozen=True)
class NormBallFit:
    """A fit within a ball, with the penalty that says the same, and its proof.

    Attributes
    ----------
    coef : (p,) in X's units
    intercept : float
    multiplier : float
        alpha of the equal penalised problem, on the mean scale; 0 where the ball holds a
        least-squares solution, alpha_max (L1) or inf (L2) where only w = 0 fits.
    radius : float
        ||e w|| as reached.
    residual : float
        (sum_i s_i r_i^2 / sum s)^(1/2) as reached.
    certificate : Certificate, as of :func:`regsolve.views.verify_ball`
    status : "optimal" where tol is proven, else "stalled"
    report : Report
    """

    coef: Array = field(repr=False)
    intercept: float
    multiplier: float
    radius: float
    residual: float
    certificate: Certificate
    status: str
    report: Report = field(repr=False)


def fit_norm_ball(
    X: Any,
    y: ArrayLike,
    radius: float | None = None,
    *,
    norm: str = "l1",
    residual: float | None = None,
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    tol: float = 1e-6,
    n_threads: int | None = None,
) -> NormBallFit:
    """Least squares with ||w|| <= radius, or the least ||w|| with a given residual.

    Parameters
    ----------
    X : array or SciPy sparse matrix, (n, p)
        Never written and never made dense whole.
    y : (n,)
    radius : float >= 0, optional
        C. Beyond the norm of the least-squares solution of least norm (that same norm) it does
        not bind: that solution is returned, with multiplier 0.
    norm : "l1" or "l2"
    residual : float >= 0, optional
        sigma, in place of ``radius``: a root mean square, (sum_i s_i r_i^2 / sum s)^(1/2) <= sigma.
        ||y - Xw||_2 <= sigma sqrt(n) says the same without weights.
    sample_weight : (n,), optional
    fit_intercept : bool
        b is free.
    standardize : bool
        The norm is of e_j w_j, e_j the deviation of column j, about 0 without an intercept.
    tol : float
        On the relative gap of the certificate.
    n_threads : int, optional

    Returns
    -------
    NormBallFit

    Raises
    ------
    ValueError
        Bad input, or a residual that no w reaches; the message names the argument.

    Warns
    -----
    ConvergenceWarning
        When tol is missed, with the gap reached.
    """
    start = time.perf_counter()
    exponent, radius, residual = checked_form(norm, radius, residual)
    tol = _validate.positive_number("tol", tol)
    goal = Goal(radius, residual)
    design, centred = _ready(X, y, sample_weight, fit_intercept, standardize, n_threads)
    # small products between readings by the core, whose threads idle ones of BLAS would hold up
    with one_thread_blas() if exponent == 1.0 else scipy_blas(n_threads):
        found = (within_l1 if exponent == 1.0 else within_l2)(design, centred, goal)
        return _finished(design, centred, found, exponent, goal, tol, start)


def _ready(
    X: Any, y: Any, sample_weight: Any, fit_intercept: Any, standardize: Any, n_threads: Any
) -> tuple[Design, Targets]:
    """Validated data as a view."""
    checked = _validate.design(X)
    n = checked.shape[0]
    weight = _validate.sample_weight(sample_weight, n)
    weight = None if weight is None else _validate.near_one(weight)  # only their ratios count
    target = _validate.target(y, n)[:, None]
    threads = _validate.threads(n_threads)
    design = Design(checked, X, weight, fit_intercept, standardize, threads)
    return design, targets(design, target)


def radius_of(X: Any, y: ArrayLike, alpha: float, *, norm: str = "l1", **options: Any) -> float:
    """||w|| of the penalised solution at ``alpha`` (mean scale): the radius that says the same.

    Parameters
    ----------
    X : array or SciPy sparse matrix, (n, p)
    y : (n,)
    alpha : float >= 0
        0: the radius from which on the ball does not bind, of the least such norm.
    norm : "l1" or "l2"
    **options
        sample_weight, fit_intercept, standardize and n_threads, as in :func:`fit_norm_ball`.

    Raises
    ------
    ValueError, TypeError
        A bad argument or an unknown option; the message names it.
    """
    exponent, _, _ = checked_form(norm, 0.0, None)
    alpha = _validate.non_negative_number("alpha", alpha)
    known = {"sample_weight": None, "fit_intercept": True, "standardize": False, "n_threads": None}
    if not options.keys() <= known.keys():
        raise TypeError(f"unknown options {sorted(options.keys() - known.keys())}")
    design, centred = _ready(X, y, **(known | options))
    options["sample_weight"] = design.sample_weight
    with scipy_blas(options.get("n_threads")):
        if alpha == 0.0:
            within = within_l1 if exponent == 1.0 else within_l2
            return float(lq_norm(within(design, centred, Goal(math.inf, None)).w, exponent))
    if exponent == 2.0:
        strength = np.array([alpha * design.total])
        coef = fit_ridge(X, centred.Y, strength, tol=1e-12, **options).coefs[:, 0]
    else:
        coef = solve(X, y, penalty=L1(alpha), **options).coef
    if design.standardize:
        design.read_statistics()
    scale = design.norm if design.standardize else design.scale
    return float(lq_norm(coef * scale, exponent))


def alpha_of(X: Any, y: ArrayLike, radius: float, *, norm: str = "l1", **options: Any) -> float:
    """The penalty's alpha (mean scale) whose solution has ||w|| = radius; 0 beyond least squares.

    Parameters
    ----------
    X : array or SciPy sparse matrix, (n, p)
    y : (n,)
    radius : float >= 0, in units of the coefficients
    norm : "l1" or "l2"
    **options
        Those of :func:`fit_norm_ball`.

    Raises
    ------
    ValueError, TypeError
        As :func:`fit_norm_ball`; the message names the argument.
    """
    return fit_norm_ball(X, y, radius, norm=norm, **options).multiplier


def _finished(
    design: Design,
    centred: Targets,
    found: Found,
    exponent: float,
    goal: Goal,
    tol: float,
    start: float,
) -> NormBallFit:
    """Coefficients in X's units with their certificate."""
    w = found.w
    length = lq_norm(w, exponent)
    if goal.radius is not None and length > goal.radius:  # by rounding
        w = w * (goal.radius / length * (1.0 - 2.0 * EPS))
    proof, square = _proven(design, centred, found, w, exponent, goal)
    if found.blur > 0.0 and not proof.relative_gap <= SHARP:
        found.c = None
        proof, square = _proven(design, centred, found, w, exponent, goal)
    if found.alpha == 0.0:
        refuse(goal, square, null_square(design, centred))
    status = "optimal" if proof.relative_gap <= tol else "stalled"
    if status != "optimal":
        _warn(proof, tol)
    coef = design.coefficients(w[:, None])[:, 0]
    intercept = float(centred.mean[0] - design.mean @ coef) if design.fit_intercept else 0.0
    return NormBallFit(
        coef=coef,
        intercept=intercept,
        multiplier=found.alpha,
        radius=float(lq_norm(w, exponent)),
        residual=math.sqrt(square),
        certificate=proof,
        status=status,
        report=_report(design, found, time.perf_counter() - start),
    )


def _proven(
    design: Design, centred: Targets, found: Found, w: Array, exponent: float, goal: Goal
) -> tuple[Certificate, float]:
    """The certificate and ||r||^2 / sum s; from X itself where c is not known."""
    c, at_null, square, blur = found.c, found.at_null, found.square, found.blur
    if c is None:
        r = centred.R - design.dot(w[:, None])
        both = correlations(design, np.hstack([r, centred.R]))
        c, at_null = both[:, 0], both[:, 1]
        square, blur = float(np.einsum("it,it->", r, r)) / design.total, 0.0
    assert at_null is not None
    moments = (square, square + float(c @ w), square)  # r'R = r'r + r'Zw
    null = 0.5 * null_square(design, centred)
    form = (exponent, goal.radius, goal.residual)
    return judged(*form, moments, c, w, at_null, null, blur), square


def _warn(proof: Certificate, tol: float) -> None:
    from sklearn.exceptions import ConvergenceWarning

    warnings.warn(
        f"the fit within a ball missed tol={tol:g}: relative gap {proof.relative_gap:.3g}; "
        "standardize the columns, or loosen tol",
        ConvergenceWarning,
        stacklevel=4,
    )


def _report(design: Design, found: Found, seconds: float) -> Report:
    why = found.why
    if design.checked.note:
        why += "; " + design.checked.note
    k = min(design.n, design.p)
    return Report(
        mode=found.mode,
        n_passes=design.passes,
        n_rhs=design.n_rhs,
        bytes_read=int(design.passes * design.storage.n_bytes),
        peak_bytes=24 * k * k,
        working_set_size=design.p,
        n_solves=found.n_solves,
        n_epochs=0,
        seconds=seconds,
        why=why,
    )
